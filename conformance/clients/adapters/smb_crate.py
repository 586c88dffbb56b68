"""The Rust crate `smb`. Dialect and encryption can be chosen, algorithms not at run time."""

from harness.server import Policy

from ..matrix import ENCRYPTED, SIGNED, Cell, grid
from .rust_program import RustAdapter


class Adapter(RustAdapter):
    crate = "smb"
    # It signs whenever it does not encrypt.
    cells = grid(none=False)
    # It asks for NDR64 alone.
    lists_shares = False
    large_cell = Cell("3.1.1", SIGNED)

    @classmethod
    def policy(cls, cell: Cell) -> Policy:
        return Policy(sign=cell.protection == SIGNED)

    def options(self) -> list[str]:
        cell = self.target.cell
        return ["--dialect", cell.dialect, *(["--encrypt"] if cell.protection == ENCRYPTED else [])]
