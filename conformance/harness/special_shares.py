"""Shares that single suites of smbtorture want, each with the tests that run on it."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .server import USER, Share
from .work import give_to_user, owned_directory

SNAPSHOT = "@GMT-2024.02.29-01.02.03"
# What the tests of snapshots are told: a file, and a stream of it with so many bytes.
SNAPSHOT_OPTIONS = (
    f"torture:twrp_snapshot={SNAPSHOT}",
    "torture:twrp_file=file",
    "torture:twrp_stream=stream",
    "torture:twrp_stream_size=4",
)
# Bytes of the file systems with reflinks.
IMAGE_SIZE = 400 << 20
# What makes them, and how.
MAKERS = {"xfs": ["-m", "reflink=1"], "btrfs": []}


@dataclass(frozen=True)
class Special:
    """A share, and the tests (names, or their beginning with `*`) that run there."""

    share: Share
    tests: tuple[str, ...]
    # Whether its directory is emptied before each test.
    emptied: bool = True

    def arguments(self) -> list[str]:
        directory = f":{self.share.path}" if self.emptied else ""
        return [a for test in self.tests for a in ("--special", f"{test}={self.share.name}{directory}")]


def _plain(work: Path, name: str, tests: tuple[str, ...], *parameters: str) -> Special:
    return Special(Share(name, owned_directory(work / "share" / name), parameters=parameters), tests)


def _unreadable(work: Path) -> Special:
    path = work / "share" / "noperm"
    path.mkdir(parents=True)
    path.chmod(0o700)
    return Special(Share("noperm", path), ("smb2.ioctl.bug14788",))


def _snapshots(work: Path) -> Special:
    path = owned_directory(work / "share" / "shadow")
    snapshot = path / ".snapshots" / SNAPSHOT
    for root in (path, snapshot):
        (root / "subdir").mkdir(parents=True)
        (root / "file").write_text("then" if root is snapshot else "now")
    os.setxattr(snapshot / "file", "user.DosStream.stream:$DATA", b"then\0")
    # A file that has not changed since: the same on the host.
    (path / "subdir" / "hardlink").write_text("same")
    os.link(path / "subdir" / "hardlink", snapshot / "subdir" / "hardlink")
    for each in [path, *path.rglob("*")]:
        give_to_user(each)
    share = Share("shadow", path, parameters=("vfs objects = acl_xattr streams_xattr shadow_copy2",))
    return Special(share, ("smb2.twrp",), emptied=False)


@contextmanager
def _reflinks(work: Path):
    """A share on XFS or else btrfs, which can share blocks; nothing where it cannot be made."""
    kind = next((kind for kind in MAKERS if shutil.which(f"mkfs.{kind}")), None)
    if kind is None or os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        yield []
        return
    image, mount = work / "reflinks.img", work / "share" / "reflinks"
    mount.mkdir(parents=True)
    with open(image, "wb") as file:
        file.truncate(IMAGE_SIZE)
    subprocess.run([f"mkfs.{kind}", "-q", *MAKERS[kind], image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    try:
        # Beneath the root of the file system, which is not emptied as a whole.
        yield [Special(Share("reflinks", owned_directory(mount / "share")), ("smb2.ioctl.dup_extents*",))]
    finally:
        subprocess.run(["umount", "--lazy", mount], check=False)
        image.unlink(missing_ok=True)


@contextmanager
def special_shares(work: Path):
    """All special shares that this machine can have."""
    with _reflinks(work) as reflinks:
        yield [
            *reflinks,
            _plain(work, "nodos", ("smb2.ioctl.compress_notsup*",), "store dos attributes = no"),
            _unreadable(work),
            _snapshots(work),
            _plain(work, "hideunread", ("smb2.acls.ACCESSBASED",), "hide unreadable = yes"),
            _plain(
                work,
                "acls_non_canonical",
                ("smb2.acls_non_canonical",),
                "acl flag inherited canonicalization = no",
            ),
            _plain(work, "nostreams", ("smb2.create_no_streams",), "vfs objects = acl_xattr"),
            _plain(work, "admin", ("smb2.create.quota-fake-file",), f"admin users = {USER.name}"),
            _plain(work, "dosmode", ("smb2.dosmode",), "hide files = /hidefile/", "hide dot files = yes"),
        ]


