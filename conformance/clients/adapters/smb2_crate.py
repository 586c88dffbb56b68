"""The Rust crate `smb2`. It offers everything and leaves all choices to the server."""

from ..matrix import ENCRYPTED, SIGNED, Cell, grid
from .rust_program import RustAdapter


class Adapter(RustAdapter):
    crate = "smb2"
    # It signs whenever it does not encrypt. It leaves out SMB2_GLOBAL_CAP_ENCRYPTION, and so cannot encrypt before
    # 3.1.1, whose negotiate context stands in for it.
    cells = [*grid(none=False, encrypted=False), Cell("3.1.1", ENCRYPTED)]
    large_cell = Cell("3.1.1", SIGNED)
    # smbd wants the capability in 3.1.1 too.
    refused_by_smbd = [Cell("3.1.1", ENCRYPTED)]
