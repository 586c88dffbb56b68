"""smbprotocol, through its `smbclient` module. Dialect, signing and ciphers can all be chosen."""

import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path

import smbclient
from smbprotocol.connection import Ciphers, Connection, Dialects, SigningAlgorithms
from smbprotocol.exceptions import LogonFailure, SMBException, SMBOSError, SMBResponseException

from harness.payload import MIB
from harness.server import Policy

from ..adapter import BaseAdapter, Refused
from ..matrix import CIPHERS, ENCRYPTED, NONE, SIGNED, SIGNERS, Cell, grid

DIALECTS = {
    "2.0.2": Dialects.SMB_2_0_2,
    "2.1": Dialects.SMB_2_1_0,
    "3.0": Dialects.SMB_3_0_0,
    "3.0.2": Dialects.SMB_3_0_2,
    "3.1.1": Dialects.SMB_3_1_1,
}
CIPHER_IDS = {name: getattr(Ciphers, name.replace("-", "_")) for name in CIPHERS}
SIGNER_IDS = {name: getattr(SigningAlgorithms, name.replace("-", "_")) for name in SIGNERS}


@contextmanager
def refusals():
    try:
        yield
    except SMBOSError as error:
        raise Refused.by_number(error.ntstatus, str(error)) from error
    except SMBResponseException as error:
        raise Refused.by_number(error.status, str(error)) from error
    except LogonFailure as error:
        raise Refused("LOGON_FAILURE", str(error)) from error
    except (SMBException, ValueError) as error:
        raise Refused("", str(error)) from error


class Adapter(BaseAdapter):
    # Told not to sign it leaves even TREE_CONNECT unsigned, which 3.1.1 forbids, [MS-SMB2] 3.3.5.7.
    cells = [cell for cell in grid(signers=SIGNERS, ciphers=CIPHERS) if cell != Cell("3.1.1", NONE)]
    large_cell = Cell("3.1.1", ENCRYPTED, "AES-256-GCM")
    # It takes an empty password for a wish to use Kerberos.
    sends_empty_passwords = False

    def __init__(self, target) -> None:
        super().__init__(target)
        smbclient.ClientConfig(skip_dfs=True)
        self._cache: dict[str, Connection] = {}
        self._options = {
            "username": target.user.name,
            "password": target.user.password,
            "port": target.port,
            "connection_cache": self._cache,
            "require_signing": target.cell.protection == SIGNED,
            "encrypt": True if target.cell.protection == ENCRYPTED else None,
            "auth_protocol": "ntlm",
        }

    @classmethod
    def policy(cls, cell: Cell) -> Policy:
        return Policy()

    def _ready(self) -> dict:
        """The arguments of every call, once there is a connection in the cell's way."""
        if not self._cache:
            to, cell = self.target, self.target.cell
            connection = Connection(uuid.uuid4(), to.host, to.port, require_signing=cell.protection == SIGNED)
            chosen = [cell.algorithm] if cell.dialect == "3.1.1" and cell.algorithm else []
            connection.connect(
                DIALECTS[cell.dialect],
                preferred_encryption_algos=[CIPHER_IDS[name] for name in chosen if name in CIPHER_IDS] or None,
                preferred_signing_algos=[SIGNER_IDS[name] for name in chosen if name in SIGNER_IDS] or None,
            )
            self._cache[f"{to.host}:{to.port}"] = connection
        return self._options

    def _path(self, share: str, path: str) -> str:
        return rf"\\{self.target.host}\{share}" + (f"\\{path}" if path else "\\").replace("/", "\\")

    @refusals()
    def shares(self) -> list[str]:
        from .srvsvc import share_names  # its PDUs come from impacket, which is slow to load

        with smbclient.open_file(
            self._path("IPC$", "srvsvc"), mode="r+b", buffering=0, file_type="pipe", **self._ready()
        ) as pipe:
            return share_names(pipe, self.target.host)

    @refusals()
    def list(self, share: str, path: str) -> list[str]:
        return smbclient.listdir(self._path(share, path), **self._ready())

    @refusals()
    def put(self, share: str, local: Path, remote: str) -> None:
        with open(local, "rb") as source, smbclient.open_file(
            self._path(share, remote), mode="wb", buffering=0, **self._ready()
        ) as sink:
            shutil.copyfileobj(source, sink, self._chunk())

    @refusals()
    def get(self, share: str, remote: str, local: Path) -> None:
        with open(local, "wb") as sink, smbclient.open_file(
            self._path(share, remote), mode="rb", buffering=0, **self._ready()
        ) as source:
            shutil.copyfileobj(source, sink, self._chunk())

    def _chunk(self) -> int:
        """Bytes at a time: 2.0.2 has no credits for more than 64 KiB."""
        return 65536 if self.target.cell.dialect == "2.0.2" else MIB

    @refusals()
    def mkdir(self, share: str, path: str) -> None:
        smbclient.mkdir(self._path(share, path), **self._ready())

    @refusals()
    def rename(self, share: str, old: str, new: str, replace: bool) -> None:
        move = smbclient.replace if replace else smbclient.rename
        move(self._path(share, old), self._path(share, new), **self._ready())

    @refusals()
    def delete(self, share: str, path: str) -> None:
        smbclient.remove(self._path(share, path), **self._ready())

    @refusals()
    def rmdir(self, share: str, path: str) -> None:
        smbclient.rmdir(self._path(share, path), **self._ready())

    def close(self) -> None:
        smbclient.reset_connection_cache(fail_on_error=False, connection_cache=self._cache)
