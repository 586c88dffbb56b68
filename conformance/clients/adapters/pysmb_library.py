"""pysmb. It comes by way of an SMB1 negotiation and speaks 2.0.2 only."""

import re
from contextlib import contextmanager
from pathlib import Path

from smb.base import NotReadyError
from smb.smb_structs import OperationFailure
from smb.SMBConnection import SMBConnection

from harness.server import Policy

from ..adapter import BaseAdapter, Refused
from ..matrix import NONE, SIGNED, Cell, grid

STATUS_LINE = re.compile(r"Status: 0x([0-9A-Fa-f]{8})")
LARGEST = 1 << 20  # entries and bytes; the library's defaults are smaller than the scenario


@contextmanager
def refusals():
    try:
        yield
    except OperationFailure as error:
        # the last message is the answer to what was asked; those before it closed and disconnected
        numbers = [int(found, 16) for found in STATUS_LINE.findall(str(error))]
        failed = [number for number in numbers if number >= 0xC0000000]
        raise Refused.by_number(failed[0] if failed else None, error.message) from error
    except NotReadyError as error:
        raise Refused("", str(error)) from error


class Adapter(BaseAdapter):
    cells = grid(("2.0.2",))
    large_cell = Cell("2.0.2", NONE)
    # It has no argument for it: a rename onto an existing name is refused.
    renames_replacing = False
    # It answers only yes or no to a log-on.
    tells_logon_status = False

    def __init__(self, target) -> None:
        super().__init__(target)
        self._connection: SMBConnection | None = None

    @classmethod
    def policy(cls, cell: Cell) -> Policy:
        return Policy()

    def _connected(self) -> SMBConnection:
        if self._connection is None:
            to, user = self.target, self.target.user
            signing = SMBConnection.SIGN_WHEN_SUPPORTED if to.cell.protection == SIGNED else SMBConnection.SIGN_NEVER
            connection = SMBConnection(
                user.name, user.password, "client", to.host, sign_options=signing, is_direct_tcp=True
            )
            if not connection.connect(to.host, to.port):
                connection.close()
                raise Refused("", "log-on refused")
            self._connection = connection
        return self._connection

    @refusals()
    def shares(self) -> list[str]:
        return [share.name for share in self._connected().listShares()]

    @refusals()
    def list(self, share: str, path: str) -> list[str]:
        entries = self._connected().listPath(share, path or "/", search=0x10037)
        return [entry.filename for entry in entries if entry.filename not in (".", "..")]

    @refusals()
    def put(self, share: str, local: Path, remote: str) -> None:
        with open(local, "rb") as file:
            self._connected().storeFile(share, remote, file, timeout=300)

    @refusals()
    def get(self, share: str, remote: str, local: Path) -> None:
        with open(local, "wb") as file:
            self._connected().retrieveFile(share, remote, file, timeout=300)

    @refusals()
    def mkdir(self, share: str, path: str) -> None:
        self._connected().createDirectory(share, path)

    @refusals()
    def rename(self, share: str, old: str, new: str, replace: bool) -> None:
        self._connected().rename(share, old, new)

    @refusals()
    def delete(self, share: str, path: str) -> None:
        self._connected().deleteFiles(share, path)

    @refusals()
    def rmdir(self, share: str, path: str) -> None:
        self._connected().deleteDirectory(share, path)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
