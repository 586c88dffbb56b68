"""The servers under test behind one interface: `smb-server` and Samba's smbd.

Both are started on 127.0.0.1 with shares and a policy, hold all their state in
one directory, and end with the `with` block they were started in.
"""

import os
import pwd
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from . import paths, proc

# Ports of servers are chosen below 32768: above, connections of clients may already hold them.
HOST = "127.0.0.1"


@dataclass(frozen=True)
class User:
    name: str
    password: str

    @property
    def login(self) -> str:
        """As Samba's programs take it."""
        return f"{self.name}%{self.password}"


USER = User("conform1", "Secret-001")
OTHER_USER = User("conform2", "Secret-002")


@dataclass(frozen=True)
class Share:
    """A share. `parameters` are lines of smb.conf beyond path and read only."""

    name: str
    path: Path
    read_only: bool = False
    parameters: tuple[str, ...] = ()

    def section(self) -> str:
        lines = [f"path = {self.path}", f"read only = {'yes' if self.read_only else 'no'}", *self.parameters]
        return f"[{self.name}]\n" + "".join(f"\t{line}\n" for line in lines)


@dataclass(frozen=True)
class Policy:
    """What the server insists on, for clients that cannot be told by themselves."""

    max_protocol: str = "3.1.1"
    sign: bool = False
    # auto, mandatory or disabled
    encryption: str = "auto"
    directory_leases: bool = False

    def label(self) -> str:
        return "-".join([self.max_protocol, *["sign"] * self.sign, self.encryption])


PROTOCOL_NAMES = {"2.0.2": "SMB2_02", "2.1": "SMB2_10", "3.0": "SMB3_00", "3.0.2": "SMB3_02", "3.1.1": "SMB3_11"}

SMBD_ENCRYPTION = {"auto": "default", "mandatory": "required", "disabled": "off"}


@dataclass
class Server:
    """A running server. Use `with SmbServer(...) as server`."""

    port: int
    shares: list[Share]
    state: Path
    policy: Policy = field(default_factory=Policy)
    process: subprocess.Popen | None = None

    kind = ""

    def __enter__(self) -> "Server":
        self.state.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o755)
        self.config.write_text(self.configuration())
        self.prepare()
        self.start()
        return self

    def start(self) -> None:
        """Starts the process, also again after it ended."""
        with open(self.log, "ab") as log:
            # A session of its own, since smbd ends its whole process group with itself; and it ends with the thread
            # that starts it, however that ends.
            self.process = subprocess.Popen(
                [paths.tool("setpriv", "util-linux"), "--pdeathsig", "TERM", *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment()},
                start_new_session=True,
            )
        try:
            proc.wait_for_port(self.port, self.process)
        except RuntimeError as error:
            proc.end(self.process)
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise RuntimeError(f"{self.kind}: {error}\n{tail}") from None

    def __exit__(self, *_) -> None:
        if self.process is not None:
            proc.end(self.process, signal.SIGTERM)

    @property
    def config(self) -> Path:
        return self.state / "smb.conf"

    @property
    def log(self) -> Path:
        return self.state / "server.log"

    def configuration(self) -> str:
        head = "[global]\n" + "".join(f"\t{line}\n" for line in self.global_lines())
        return "\n".join([head, *(share.section() for share in self.shares)])

    def global_lines(self) -> list[str]:
        raise NotImplementedError

    def prepare(self) -> None:
        """Makes the users known."""
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}


class SmbServer(Server):
    """The server of this repository."""

    kind = "smb-server"

    @property
    def users(self) -> Path:
        return self.state / "users.db"

    def global_lines(self) -> list[str]:
        return [
            f"tcp port = {self.port}",
            # the loopback interface is told of only if something is said about it
            'interfaces = "127.0.0.1;speed=1000000000,capability=RSS"',
            "bind interfaces only = yes",
            "server min protocol = SMB2_02",
            f"server max protocol = {PROTOCOL_NAMES[self.policy.max_protocol]}",
            f"server signing = {'mandatory' if self.policy.sign else 'auto'}",
            f"smb3 encryption = {self.policy.encryption}",
            f"smb3 directory leases = {'yes' if self.policy.directory_leases else 'no'}",
            "map to guest = never",
            "max ip connections = 0",
            # as smbd's, which its own tests count on
            "smb2 max trans = 8M",
        ]

    def prepare(self) -> None:
        for user in (USER, OTHER_USER):
            secret = self.state / f"{user.name}.password"
            secret.write_text(user.password + "\n")
            secret.chmod(0o600)
            command = [paths.server_binary(), "user", "add", user.name, "--password-file", secret, "--users", self.users]
            done = proc.run(command)
            if done.returncode != 0:
                raise RuntimeError(f"smb-server user add {user.name}: {done.stdout}")

    def command(self) -> list[str]:
        return [str(paths.server_binary()), "run", "--config", str(self.config), "--users", str(self.users)]

    def environment(self) -> dict[str, str]:
        return {"RUST_LOG": os.environ.get("RUST_LOG", "info")}


class Smbd(Server):
    """Samba's server, private, as a yardstick and to prove the suites with."""

    kind = "smbd"

    def global_lines(self) -> list[str]:
        at = self.state
        return [
            f"smb ports = {self.port}",
            "netbios name = CONFORM",
            "server role = standalone server",
            "interfaces = 127.0.0.1/8",
            "bind interfaces only = yes",
            "disable netbios = yes",
            "load printers = no",
            "printcap name = /dev/null",
            "disable spoolss = yes",
            "server min protocol = SMB2_02",
            f"server max protocol = {PROTOCOL_NAMES[self.policy.max_protocol]}",
            f"server signing = {'mandatory' if self.policy.sign else 'default'}",
            f"server smb encrypt = {SMBD_ENCRYPTION[self.policy.encryption]}",
            "host msdfs = no",
            "ntlm auth = ntlmv2-only",
            "map to guest = never",
            "ea support = yes",
            "store dos attributes = yes",
            "map archive = no",
            "create mask = 0755",
            "dos filemode = yes",
            "vfs objects = acl_xattr streams_xattr",
            f"private dir = {at}/private",
            f"passdb backend = tdbsam:{at}/private/passdb.tdb",
            f"lock directory = {at}/lock",
            f"state directory = {at}/state",
            f"cache directory = {at}/cache",
            f"pid directory = {at}/pid",
            f"ncalrpc dir = {at}/ncalrpc",
            f"log file = {at}/log.%m",
            "max log size = 0",
        ]

    def prepare(self) -> None:
        paths.tool("smbd", "samba")
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc"):
            (self.state / name).mkdir(exist_ok=True)
        for user in (USER, OTHER_USER):
            unix_user(user.name)
            command = [paths.tool("smbpasswd", "samba"), "-c", self.config, "-L", "-s", "-a", user.name]
            done = subprocess.run(
                [str(word) for word in command], input=f"{user.password}\n" * 2, capture_output=True, text=True
            )
            if done.returncode != 0:
                raise RuntimeError(f"smbpasswd -a {user.name}: {done.stdout}{done.stderr}")

    def command(self) -> list[str]:
        smbd = paths.tool("smbd", "samba")
        return [smbd, "--foreground", "--no-process-group", "--debug-stdout", f"--configfile={self.config}"]

    def __exit__(self, *_) -> None:
        super().__exit__()
        helper = self.state / "pid" / "samba-dcerpcd.pid"
        if helper.is_file() and (pid := helper.read_text().strip()).isdigit():
            command = Path(f"/proc/{pid}/cmdline")
            if command.is_file() and str(self.state).encode() in command.read_bytes():
                os.kill(int(pid), signal.SIGTERM)


KINDS = {"smb-server": SmbServer, "smbd": Smbd}


def unix_user(name: str) -> None:
    """smbd wants its users to be users of the machine too."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        command = ["useradd", "-M", "-N", "-g", "nogroup", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", name]
        done = proc.run([paths.tool("useradd", "passwd"), *command[1:]])
        if done.returncode != 0:
            raise RuntimeError(f"useradd {name}: {done.stdout}") from None
