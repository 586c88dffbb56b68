"""What the scenario asks of a client, and how a client says no."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from harness.server import HOST, Policy, User

from .matrix import ENCRYPTED, SIGNED, Cell

# NTSTATUS values that the scenario knows, for clients that tell only the number.
STATUS = {
    0xC0000022: "ACCESS_DENIED",
    0xC0000034: "OBJECT_NAME_NOT_FOUND",
    0xC0000035: "OBJECT_NAME_COLLISION",
    0xC000003A: "OBJECT_PATH_NOT_FOUND",
    0xC000006D: "LOGON_FAILURE",
    0xC0000072: "ACCOUNT_DISABLED",
    0xC00000A2: "MEDIA_WRITE_PROTECTED",
    0xC00000CC: "BAD_NETWORK_NAME",
    0xC0000101: "DIRECTORY_NOT_EMPTY",
}


class Refused(Exception):
    """The client could not do it. `status` is the NTSTATUS without its prefix, "" if the client does not tell."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text.strip() or status)
        self.status = status

    @classmethod
    def by_number(cls, number: int | None, text: str) -> "Refused":
        name = "" if number is None else STATUS.get(number & 0xFFFFFFFF, f"0x{number & 0xFFFFFFFF:08x}")
        return cls(name, text)


@dataclass(frozen=True)
class Target:
    """Where to go, as whom, and in which cell."""

    port: int
    user: User
    cell: Cell
    # For what the client wants to keep; empty at first.
    work: Path
    host: str = HOST


class BaseAdapter(ABC):
    """One client talking in one cell. Remote paths use `/` and begin below the share.

    Every operation raises `Refused` if the server or the client declines.
    """

    # The cells that the client can be brought to.
    cells: list[Cell] = []
    # Those of them that end in a disagreement of client and smbd; run against smbd they prove nothing.
    refused_by_smbd: list[Cell] = []
    # The cell in which it moves the largest file.
    large_cell: Cell
    # Whether a refused rename onto an existing name can be asked for, and one that replaces.
    renames_without_replacing = True
    renames_replacing = True
    # Whether it has an RPC that lists shares.
    lists_shares = True
    # Whether the client says why logging on failed.
    tells_logon_status = True
    # Whether it logs on with an empty password.
    sends_empty_passwords = True

    def __init__(self, target: Target) -> None:
        self.target = target

    @classmethod
    def policy(cls, cell: Cell) -> Policy:
        """The server that brings the client into `cell`; by default one that insists on everything."""
        encryption = "mandatory" if cell.protection == ENCRYPTED else "auto"
        return Policy(cell.dialect, sign=cell.protection == SIGNED, encryption=encryption)

    @abstractmethod
    def shares(self) -> list[str]: ...

    @abstractmethod
    def list(self, share: str, path: str) -> list[str]:
        """The names in a directory, without `.` and `..`."""

    @abstractmethod
    def put(self, share: str, local: Path, remote: str) -> None: ...

    @abstractmethod
    def get(self, share: str, remote: str, local: Path) -> None: ...

    @abstractmethod
    def mkdir(self, share: str, path: str) -> None: ...

    @abstractmethod
    def rename(self, share: str, old: str, new: str, replace: bool) -> None: ...

    @abstractmethod
    def delete(self, share: str, path: str) -> None: ...

    @abstractmethod
    def rmdir(self, share: str, path: str) -> None: ...

    def extra_steps(self, scenario) -> list:
        """Steps that only this client can do, as pairs of a name and a function."""
        return []

    def close(self) -> None:
        """Ends all connections."""

