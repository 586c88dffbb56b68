"""Where things are, and a plain sentence when one of them is missing."""

import os
import shutil
import sys
from pathlib import Path

CONFORMANCE = Path(__file__).resolve().parent.parent
ROOT = CONFORMANCE.parent
VENV = CONFORMANCE / ".venv"
OUT = CONFORMANCE / "out"
EXPECTED = CONFORMANCE / "expected"
RUST_CLIENTS = CONFORMANCE / "rust-clients" / "target" / "debug" / "rust-clients"


class Missing(Exception):
    """Something that a suite needs is not installed or not built."""


def shared() -> Path:
    """The folder of tools and references that lies beside the checkout."""
    for parent in (ROOT.parent, *ROOT.parent.parents):
        if (parent / "shared" / "torture" / "run").is_file():
            return parent / "shared"
    raise Missing(f"no folder shared/ with torture/run beside {ROOT}; it comes with the project")


def tool(name: str, package: str) -> str:
    """The path of a program; also looks where Debian keeps those of the administrator."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise Missing(f"{name} is not installed: apt-get install {package}, or run conformance/setup")
    return found


def server_binary() -> Path:
    """The `smb-server` under test: SMB_SERVER, else the release build."""
    path = Path(os.environ.get("SMB_SERVER", ROOT / "target" / "release" / "smb-server"))
    if not path.is_file():
        raise Missing(f"{path} is not built: cargo build --release -p driver-mio, or name another in SMB_SERVER")
    return path


def in_venv() -> None:
    """Goes on in the virtual environment that has the Python clients."""
    python = VENV / "bin" / "python"
    if not python.exists():
        raise Missing(f"{VENV} does not exist: run conformance/setup")
    if Path(sys.prefix) != VENV:
        os.execv(python, [str(python), *sys.argv])


def run_main(main) -> None:
    """Ends the process with what `main` returns; a missing tool is one sentence and a failure."""
    try:
        sys.exit(main())
    except Missing as missing:
        print(f"missing: {missing}", file=sys.stderr)
        print("0 passed, 1 failed, 0 skipped")
        sys.exit(1)
