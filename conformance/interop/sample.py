"""Files with everything that lives in extended attributes: made by one server, looked at through another."""

import hashlib
import re

import smbclient as library

from harness import paths, proc
from harness.server import HOST, USER, Server
from harness.tap import Tap

from .copy import copy

SHARE = "t1"
COPIES = "t2"

# Name to the attributes that `setmode` of smbclient sets; a directory ends with "/".
ATTRIBUTES = {
    "plain.txt": "",
    "hidden.txt": "+h",
    "system hidden.dat": "+s+h",
    "read-only.txt": "+r",
    "archive.bin": "+a",
    "nicht-ASCII ÄÖ 文.txt": "+h+a",
    "directory/": "",
    "hidden directory/": "+h",
    "directory/inner.txt": "+s",
}
CREATED = "2001:02:03-04:05:06"
WRITTEN = "2010:11:12-13:14:15"
# Stream names to contents; an extended attribute on tmpfs holds at most 64 KiB.
STREAMS = {"Zone.Identifier": b"[ZoneTransfer]\r\nZoneId=3\r\n", "Ünïcode 流": b"\x00\xff" * 500, "large": b"0123456789abcdef" * 3000}
EAS = {"PLAIN": b"value", "BINARY": bytes(range(1, 200)), "mixedCase": b"x" * 1000}
# Access control entries beside what the server gives by itself: file to smbcacls syntax.
ACES = {
    "plain.txt": ["ACL:S-1-1-0:ALLOWED/0x0/0x001200a9"],
    "directory/": ["ACL:S-1-5-11:ALLOWED/0x3/0x001301bf", "ACL:S-1-5-32-546:DENIED/0x3/0x00000002"],
    "archive.bin": ["ACL:S-1-5-21-1-2-3-1000:ALLOWED/0x0/0x001f01ff"],
}


class Session:
    """smbclient, smbcacls and smbprotocol as the user of the tests."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._cache: dict = {}
        self._options = {
            "username": USER.name,
            "password": USER.password,
            "port": server.port,
            "connection_cache": self._cache,
            "auth_protocol": "ntlm",
        }

        # smbcacls knows no port but 445: each server has an address of the loopback network for it
        self._address = f"127.44.{server.port % 1000 // 250}.{server.port % 250 + 1}"
        self._relay = Tap(server.port, (self._address, 445))

    def __enter__(self) -> "Session":
        library.ClientConfig(skip_dfs=True)
        self._relay.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        self._relay.__exit__(*exception)
        library.reset_connection_cache(fail_on_error=False, connection_cache=self._cache)

    def _unc(self, name: str, share: str = SHARE) -> str:
        return rf"\\{HOST}\{share}" + "\\" + name.rstrip("/").replace("/", "\\")

    def _program(self, program: str, *words: str, target: str = f"/{SHARE}") -> str:
        command = [paths.tool(program, "smbclient"), "-s", "/dev/null", "-U", USER.login]
        done = proc.run([*command, f"//{self._address}{target}", *words])
        if done.returncode != 0 or "NT_STATUS_" in done.stdout:
            raise RuntimeError(f"{program} {' '.join(words)} on {self._server.kind}: {done.stdout.strip()}")
        return done.stdout

    def _commands(self, *commands: str) -> None:
        self._program("smbclient", "-c", "; ".join(commands))

    def user_sid(self) -> str:
        """The user's SID on this server: each server has a domain of its own."""
        answer = self._program("rpcclient", "-c", f"lookupnames {USER.name}", target="")
        found = re.search(r"S-1-5-21-[-0-9]+", answer)
        if found is None:
            raise RuntimeError(f"{self._server.kind} does not know {USER.name}: {answer}")
        return found[0]

    def make(self) -> None:
        """Makes the sample through this server."""
        for name in sorted(ATTRIBUTES):
            if name.endswith("/"):
                library.mkdir(self._unc(name), **self._options)
            else:
                self._write(name, f"contents of {name}".encode())
        for stream, data in STREAMS.items():
            self._write(f"plain.txt:{stream}", data)
        self._write("directory:on a directory", b"stream")
        for name, value in EAS.items():
            library.setxattr(self._unc("archive.bin"), name, value, **self._options)
        library.setxattr(self._unc("directory"), "ONDIR", b"1", **self._options)
        for name, entries in ACES.items():
            for entry in entries:
                self._program("smbcacls", name.rstrip("/"), "-a", entry, "--numeric")
        # what changes a file comes before its times, and read-only last
        for name, mode in ATTRIBUTES.items():
            bare = name.rstrip("/").replace("/", "\\")
            commands = [f'utimes "{bare}" {CREATED} {WRITTEN} {WRITTEN} -1']
            self._commands(*commands, *([f'setmode "{bare}" {mode}'] if mode else []))

    def _write(self, name: str, data: bytes) -> None:
        with library.open_file(self._unc(name), mode="wb", buffering=0, **self._options) as file:
            file.write(data)

    def alter(self) -> None:
        """Changes attributes, access control, streams and EAs of a sample that is there, through this server."""
        self._commands('setmode "hidden.txt" -h+s', 'setmode "read-only.txt" -r+h', 'setmode "directory" +h')
        entry = ACES["plain.txt"][0]
        self._program("smbcacls", "plain.txt", "-M", entry.replace("0x001200a9", "0x001f01ff"), "--numeric")
        self._program("smbcacls", "directory", "-D", ACES["directory/"][0], "--numeric")
        self._program("smbcacls", "archive.bin", "-a", "ACL:S-1-5-11:DENIED/0x0/0x00000040", "--numeric")
        self._program("smbcacls", "hidden.txt", "-G", "S-1-5-32-545", "--numeric")
        library.remove(self._unc("plain.txt:large"), **self._options)
        self._write("plain.txt:Zone.Identifier", b"shorter")
        self._write("hidden.txt:late", b"a stream of a file that had none")
        library.removexattr(self._unc("archive.bin"), "PLAIN", **self._options)
        library.setxattr(self._unc("archive.bin"), "mixedCase", b"other", **self._options)

    def copy(self) -> None:
        """Copies the sample to the other share, with everything."""
        for name in sorted(ATTRIBUTES):
            directory = name.endswith("/")
            source, target = self._unc(name), self._unc(name, COPIES)
            streams = [s.name for s in library.liststreams(source, **self._options) if s.name != "::$DATA"]

            def set_ea(key: str, value: bytes, target: str = target) -> None:
                library.setxattr(target, key, value, **self._options)

            copy(source, target, directory, streams, self._eas(source), self._options, set_ea)
        # what was made in it has changed the time of a directory: these come last, as robocopy does
        for name in sorted((n for n in ATTRIBUTES if n.endswith("/")), reverse=True):
            stat = library.stat(self._unc(name), **self._options)
            times = (stat.st_atime_ns, stat.st_mtime_ns)
            library.utime(self._unc(name, COPIES), ns=times, **self._options)

    def look(self, share: str = SHARE) -> dict[str, dict[str, object]]:
        """What this server shows of the sample: name to property to value."""
        return {name: self._look_at(name, share) for name in sorted(ATTRIBUTES)}

    def _look_at(self, name: str, share: str) -> dict[str, object]:
        unc = self._unc(name, share)
        stat = library.stat(unc, **self._options)
        seen: dict[str, object] = {
            "attributes": hex(stat.st_file_attributes),
            "created": stat.st_ctime_ns,
            "written": stat.st_mtime_ns,
            "access control": self._entries(name, share),
            "allinfo": self._allinfo(name, share),
            "EAs": {key: value.hex() for key, value in self._eas(unc)},
        }
        for stream in library.liststreams(unc, **self._options):
            if stream.name == "::$DATA":
                continue
            with library.open_file(unc + stream.name, mode="rb", buffering=0, **self._options) as file:
                seen[f"stream {stream.name}"] = hashlib.sha256(file.read()).hexdigest()
        if not name.endswith("/"):
            seen["size"] = stat.st_size
            with library.open_file(unc, mode="rb", buffering=0, **self._options) as file:
                seen["contents"] = hashlib.sha256(file.read()).hexdigest()
        return seen

    def _eas(self, unc: str) -> list[tuple[str, bytes]]:
        names = sorted(library.listxattr(unc, **self._options))
        return [(name.decode(), library.getxattr(unc, name, **self._options)) for name in names]

    def _allinfo(self, name: str, share: str) -> list[str]:
        """What `allinfo` of smbclient says of times, attributes and streams."""
        bare = name.rstrip("/").replace("/", "\\")
        lines = self._program("smbclient", "-c", f'allinfo "{bare}"', target=f"/{share}").splitlines()
        # reading changes the time of the last access, smbd shows the time of writing as that of change, and a server
        # may give 8.3 names or not
        return sorted(line for line in lines if line.startswith(("create_", "write_", "attr", "stream:")))

    def _entries(self, name: str, share: str) -> list[str]:
        lines = self._program("smbcacls", name.rstrip("/"), "--numeric", target=f"/{share}").splitlines()
        return [line for line in lines if line.startswith(("ACL:", "OWNER:", "GROUP:", "CONTROL:"))]


def expected(name: str, seen: dict[str, object]) -> list[str]:
    """What is wrong with a look through the server that made the sample."""
    wrong = []
    bits = {"r": 0x1, "h": 0x2, "s": 0x4, "a": 0x20}
    for letter in ATTRIBUTES[name].replace("+", ""):
        if not int(seen["attributes"], 16) & bits[letter]:
            wrong.append(f"attribute {letter} is not set: {seen['attributes']}")
    streams = {"plain.txt": STREAMS, "directory/": {"on a directory": b"stream"}}.get(name, {})
    for stream, data in streams.items():
        if seen.get(f"stream :{stream}:$DATA") != hashlib.sha256(data).hexdigest():
            wrong.append(f"stream {stream} differs or is missing")
    if name == "archive.bin" and seen["EAs"] != {key: value.hex() for key, value in EAS.items()}:
        wrong.append(f"EAs: {sorted(seen['EAs'])}")
    for entry in ACES.get(name, []):
        if not any(entry.split(":")[1] in line for line in seen["access control"]):
            wrong.append(f"{entry} is missing: {seen['access control']}")
    return wrong
