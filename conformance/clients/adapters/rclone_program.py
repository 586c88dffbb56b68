"""rclone's smb backend. It cannot be told anything about the protocol: the server decides."""

import json
import os
import re
import subprocess
from pathlib import Path

from harness import paths, proc

from ..adapter import BaseAdapter, Refused
from ..matrix import ENCRYPTED, Cell, grid

# The backend gives the statuses' descriptions of [MS-ERREF] in its own words.
REASONS = (
    ("DIRECTORY_NOT_EMPTY", r"directory trying to be deleted is not empty|directory not empty"),
    ("BAD_NETWORK_NAME", r"share name cannot be found"),
    ("LOGON_FAILURE", r"attempted logon is invalid"),
    ("ACCOUNT_DISABLED", r"account is currently disabled"),
    ("ACCESS_DENIED", r"requested access|permission denied"),
    ("MEDIA_WRITE_PROTECTED", r"write.protected"),
)


class Adapter(BaseAdapter):
    # It signs whenever it does not encrypt.
    cells = grid(none=False)
    large_cell = Cell("3.1.1", ENCRYPTED)
    # It wants even interim responses signed, and smbd sends many, unsigned.
    refused_by_smbd = grid(none=False, encrypted=False)
    # `moveto` deletes an existing target first.
    renames_without_replacing = False

    def _run(self, *words: str) -> str:
        to = self.target
        settings = {
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_S_TYPE": "smb",
            "RCLONE_CONFIG_S_HOST": to.host,
            "RCLONE_CONFIG_S_PORT": str(to.port),
            "RCLONE_CONFIG_S_USER": to.user.name,
            "RCLONE_CONFIG_S_PASS": self._obscured(),
        }
        command = [paths.tool("rclone", "rclone"), "--retries=1", "--low-level-retries=1", *words]
        try:
            done = proc.run(command, timeout=300, env=settings)
        except subprocess.TimeoutExpired:
            raise Refused("", f"rclone did not end within 300 s: {words}") from None
        if done.returncode != 0:
            found = (status for status, words in REASONS if re.search(words, done.stdout, re.IGNORECASE))
            raise Refused(next(found, ""), done.stdout)
        return done.stdout

    def _obscured(self) -> str:
        if not self.target.user.password:
            return ""
        return proc.run([paths.tool("rclone", "rclone"), "obscure", self.target.user.password]).stdout.strip()

    def _names(self, remote: str) -> list[str]:
        return [entry["Name"] for entry in json.loads(self._run("lsjson", "--no-modtime", "--no-mimetype", remote))]

    def shares(self) -> list[str]:
        return self._names("S:")

    def list(self, share: str, path: str) -> list[str]:
        return self._names(f"S:{share}/{path}")

    def put(self, share: str, local: Path, remote: str) -> None:
        self._run("copyto", "--ignore-times", str(local), f"S:{share}/{remote}")

    def get(self, share: str, remote: str, local: Path) -> None:
        self._run("copyto", "--ignore-times", f"S:{share}/{remote}", str(local))

    def mkdir(self, share: str, path: str) -> None:
        self._run("mkdir", f"S:{share}/{path}")

    def rename(self, share: str, old: str, new: str, replace: bool) -> None:
        self._run("moveto", "--ignore-times", f"S:{share}/{old}", f"S:{share}/{new}")

    def delete(self, share: str, path: str) -> None:
        self._run("deletefile", f"S:{share}/{path}")

    def rmdir(self, share: str, path: str) -> None:
        self._run("rmdir", f"S:{share}/{path}")
