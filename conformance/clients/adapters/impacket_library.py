"""impacket. It offers one dialect, or all of them behind an SMB1 negotiation, and encrypts wherever the server can."""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from Cryptodome.Cipher import AES
from Cryptodome.Hash import CMAC
from impacket import crypto, smb, smb3structs
from impacket.smbconnection import SessionError, SMBConnection

from harness.server import Policy

from ..adapter import BaseAdapter, Refused
from ..matrix import ENCRYPTED, NONE, SIGNED, Cell, grid

# 3.0.2 cannot be asked for by name; there the server's highest dialect decides.
PREFERRED = {
    "2.0.2": smb3structs.SMB2_DIALECT_002,
    "2.1": smb3structs.SMB2_DIALECT_21,
    "3.0": smb3structs.SMB2_DIALECT_30,
    "3.1.1": smb3structs.SMB2_DIALECT_311,
}


def aes_cmac(key: bytes, message: bytes, length: int) -> bytes:
    """RFC 4493. impacket has it in plain Python, a hundred times slower."""
    return CMAC.new(key, message[:length], ciphermod=AES).digest()


crypto.AES_CMAC = aes_cmac


@contextmanager
def refusals():
    try:
        yield
    except (SessionError, smb.SessionError) as error:
        raise Refused.by_number(error.getErrorCode(), str(error)) from error


class Adapter(BaseAdapter):
    # In 3.1.1 impacket signs whether asked or not.
    cells = [cell for cell in grid() if cell != Cell("3.1.1", NONE)]
    large_cell = Cell("3.0", SIGNED, "AES-CMAC")
    # Its rename always says ReplaceIfExists.
    renames_without_replacing = False

    @classmethod
    def policy(cls, cell: Cell) -> Policy:
        policy = super().policy(cell)
        return policy if cell.protection == ENCRYPTED else replace(policy, encryption="disabled")

    def __init__(self, target) -> None:
        super().__init__(target)
        self._connection: SMBConnection | None = None

    def _connected(self) -> SMBConnection:
        if self._connection is None:
            to, user = self.target, self.target.user
            connection = SMBConnection(
                to.host, to.host, sess_port=to.port, preferredDialect=PREFERRED.get(to.cell.dialect), timeout=120
            )
            connection.login(user.name, user.password)
            self._connection = connection
        return self._connection

    @refusals()
    def shares(self) -> list[str]:
        return [share["shi1_netname"].rstrip("\0") for share in self._connected().listShares()]

    @refusals()
    def list(self, share: str, path: str) -> list[str]:
        entries = self._connected().listPath(share, f"{path}/*" if path else "*")
        return [entry.get_longname() for entry in entries if entry.get_longname() not in (".", "..")]

    @refusals()
    def put(self, share: str, local: Path, remote: str) -> None:
        with open(local, "rb") as file:
            self._connected().putFile(share, remote, file.read)

    @refusals()
    def get(self, share: str, remote: str, local: Path) -> None:
        with open(local, "wb") as file:
            self._connected().getFile(share, remote, file.write)

    @refusals()
    def mkdir(self, share: str, path: str) -> None:
        self._connected().createDirectory(share, path)

    @refusals()
    def rename(self, share: str, old: str, new: str, replace: bool) -> None:
        self._connected().rename(share, old, new)

    @refusals()
    def delete(self, share: str, path: str) -> None:
        self._connected().deleteFile(share, path)

    @refusals()
    def rmdir(self, share: str, path: str) -> None:
        self._connected().deleteDirectory(share, path)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
