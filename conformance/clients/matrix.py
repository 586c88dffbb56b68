"""The cells of the matrix: dialect, protection, algorithm."""

from dataclasses import dataclass

DIALECTS = ("2.0.2", "2.1", "3.0", "3.0.2", "3.1.1")
ENCRYPTING = ("3.0", "3.0.2", "3.1.1")
SIGNERS = ("HMAC-SHA256", "AES-CMAC", "AES-GMAC")
CIPHERS = ("AES-128-CCM", "AES-128-GCM", "AES-256-CCM", "AES-256-GCM")

NONE, SIGNED, ENCRYPTED = "none", "signed", "encrypted"


@dataclass(frozen=True)
class Cell:
    """One way to talk. An empty algorithm: whatever the two sides prefer."""

    dialect: str
    protection: str
    algorithm: str = ""

    @property
    def id(self) -> str:
        return "/".join(filter(None, (self.dialect, self.protection, self.algorithm)))

    @classmethod
    def parse(cls, text: str) -> "Cell":
        return cls(*text.split("/"))


def fixed_signer(dialect: str) -> str:
    """The signing algorithm of a dialect that does not negotiate one, [MS-SMB2] 3.1.4.1."""
    return "HMAC-SHA256" if dialect in ("2.0.2", "2.1") else "AES-CMAC"


def grid(dialects=DIALECTS, *, none=True, signed=True, encrypted=True, signers=(), ciphers=()) -> list[Cell]:
    """All cells over `dialects`. `signers` and `ciphers`: what the client can be told for 3.1.1."""
    found = []
    for dialect in dialects:
        negotiates = dialect == "3.1.1"
        if none:
            found.append(Cell(dialect, NONE))
        if signed:
            choice = signers if negotiates and signers else ("",) if negotiates else (fixed_signer(dialect),)
            found += [Cell(dialect, SIGNED, name) for name in choice]
        if encrypted and dialect in ENCRYPTING:
            choice = ciphers if negotiates and ciphers else ("",) if negotiates else ("AES-128-CCM",)
            found += [Cell(dialect, ENCRYPTED, name) for name in choice]
    return found
