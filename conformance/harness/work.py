"""A work directory on tmpfs, with the shares that the suites use."""

import os
import pwd
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .server import USER, Share


@contextmanager
def work_directory(name: str, parent: Path | None = None):
    """An empty directory, gone afterwards; on tmpfs unless told, since that is quick and has extended attributes."""
    parent = parent or os.environ.get("CONFORMANCE_TMP") or ("/dev/shm" if os.path.ismount("/dev/shm") else None)
    path = Path(tempfile.mkdtemp(prefix=f"sansmb-{name}-", dir=parent))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def give_to_user(path: Path) -> None:
    """Makes the user of the tests the owner, who may do anything, whatever server is asked."""
    path.chmod(0o777)  # x too: some clients open with FILE_EXECUTE
    try:
        os.chown(path, pwd.getpwnam(USER.name).pw_uid, -1)
    except KeyError:
        pass  # only smbd needs a unix user, and makes it


def owned_directory(path: Path) -> Path:
    """Makes a directory that belongs to the user of the tests."""
    path.mkdir(parents=True, exist_ok=True)
    give_to_user(path)
    return path


def plain_shares(work: Path, names: tuple[str, ...] = ("t1", "t2", "t3", "t4")) -> list[Share]:
    """Writable shares and one read-only one, `ro`."""
    shares = [Share(name, owned_directory(work / "share" / name)) for name in names]
    return [*shares, Share("ro", owned_directory(work / "share" / "ro"), read_only=True)]
