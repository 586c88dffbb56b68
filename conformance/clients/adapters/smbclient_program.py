"""Samba's smbclient. Each operation is a run of the program, and so a session of its own."""

import re
import subprocess
from pathlib import Path

from harness import paths, proc
from harness.server import PROTOCOL_NAMES, Policy

from ..adapter import BaseAdapter, Refused
from ..matrix import CIPHERS, ENCRYPTED, NONE, SIGNED, SIGNERS, Cell, grid
from ..tree import tree_steps

SIGNER_NAMES = {"HMAC-SHA256": "HMAC-SHA256", "AES-CMAC": "AES-128-CMAC", "AES-GMAC": "AES-128-GMAC"}
ENTRY = re.compile(r"^  (.+?) +[A-Zr]+ +\d+  [A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$")
FAILURE = re.compile(r"NT_STATUS_(\w+)")


class Adapter(BaseAdapter):
    cells = grid(signers=SIGNERS, ciphers=CIPHERS)
    large_cell = Cell("3.1.1", SIGNED, "AES-GMAC")

    @classmethod
    def policy(cls, cell: Cell) -> Policy:
        return Policy()

    def _options(self) -> list[str]:
        cell, dialect = self.target.cell, PROTOCOL_NAMES[self.target.cell.dialect]
        protection = {NONE: "off", SIGNED: "sign", ENCRYPTED: "encrypt"}[cell.protection]
        chosen = [f"client min protocol={dialect}", f"client max protocol={dialect}"]
        # list shares goes through IPC$, which has settings of its own
        chosen += [f"client ipc min protocol={dialect}", f"client ipc max protocol={dialect}"]
        if cell.protection == NONE:
            chosen += ["client ipc signing=auto", "client signing=auto"]
        if cell.protection == SIGNED and cell.algorithm:
            chosen += [f"client smb3 signing algorithms={SIGNER_NAMES[cell.algorithm]}"]
        if cell.protection == ENCRYPTED and cell.algorithm:
            chosen += [f"client smb3 encryption algorithms={cell.algorithm}"]
        return [
            *("-s", "/dev/null", "-p", str(self.target.port), "-U", self.target.user.login),
            f"--client-protection={protection}",
            *(f"--option={option}" for option in chosen),
        ]

    def run(self, share: str, commands: str, *more: str, cwd: Path | None = None, timeout: float = 300) -> str:
        """Runs commands of smbclient; its output. Any NT_STATUS in it is a refusal."""
        program = paths.tool("smbclient", "smbclient")
        command = [program, *self._options(), f"//{self.target.host}/{share}", *more]
        if commands:
            command += ["-c", commands]
        try:
            done = proc.run(command, timeout=timeout, cwd=cwd)
        except subprocess.TimeoutExpired:
            raise Refused("", f"smbclient did not end within {timeout} s: {commands}") from None
        self._check(done.stdout, done.returncode)
        return done.stdout

    @staticmethod
    def _check(output: str, code: int) -> None:
        if failure := FAILURE.search(output):
            raise Refused(failure[1], output)
        if code != 0:
            raise Refused("", output)

    def shares(self) -> list[str]:
        program = paths.tool("smbclient", "smbclient")
        done = proc.run([program, *self._options(), "-g", "-L", self.target.host])
        self._check(done.stdout, done.returncode)
        return [line.split("|")[1] for line in done.stdout.splitlines() if line.startswith(("Disk|", "IPC|"))]

    def list(self, share: str, path: str) -> list[str]:
        output = self.run(share, f'ls "{path}/*"' if path else "ls")
        found = (ENTRY.match(line) for line in output.splitlines())
        return [entry[1] for entry in found if entry and entry[1] not in (".", "..")]

    def put(self, share: str, local: Path, remote: str) -> None:
        self.run(share, f'put "{local}" "{remote}"')

    def get(self, share: str, remote: str, local: Path) -> None:
        self.run(share, f'get "{remote}" "{local}"')

    def mkdir(self, share: str, path: str) -> None:
        self.run(share, f'mkdir "{path}"')

    def rename(self, share: str, old: str, new: str, replace: bool) -> None:
        self.run(share, f'rename "{old}" "{new}"' + (" -f" if replace else ""))

    def delete(self, share: str, path: str) -> None:
        self.run(share, f'del "{path}"')

    def rmdir(self, share: str, path: str) -> None:
        self.run(share, f'rmdir "{path}"')

    def extra_steps(self, scenario) -> list:
        return tree_steps(self, scenario) if self.target.cell in TREE_CELLS else []


# The tree of 2,000 files goes over each protection once.
TREE_CELLS = (Cell("2.1", NONE), Cell("3.0", SIGNED, "AES-CMAC"), Cell("3.1.1", ENCRYPTED, "AES-128-GCM"))
