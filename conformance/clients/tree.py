"""A tree of many small files, sent and fetched back in one go, with its times."""

import filecmp
import os
import random
from pathlib import Path

from harness import proc
from harness.work import owned_directory

from .scenario import SHARE, expect

FILES = 2000
PER_DIRECTORY = 100
# Two seconds is what tar and FAT round to; SMB carries 100 ns.
CLOSE_ENOUGH = 2.0


def make_tree(root: Path) -> None:
    """2,000 files of 0 to 4 KiB in 20 directories, with times in the past."""
    chance = random.Random(2000)
    for index in range(FILES):
        directory = root / f"dir {index // PER_DIRECTORY:02}"
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f"fïle {index:04}.bin"
        file.write_bytes(chance.randbytes(chance.randrange(4096)))
        when = 1_500_000_000 + index * 7919
        os.utime(file, (when, when))


def differences(left: Path, right: Path, times: bool) -> list[str]:
    """What differs between two trees, as paths with a word each."""
    names = {path.relative_to(left) for path in left.rglob("*") if path.is_file()}
    there = {path.relative_to(right) for path in right.rglob("*") if path.is_file()}
    found = [f"missing {name}" for name in names - there] + [f"extra {name}" for name in there - names]
    for name in names & there:
        if not filecmp.cmp(left / name, right / name, shallow=False):
            found.append(f"contents {name}")
        elif times and abs((left / name).stat().st_mtime - (right / name).stat().st_mtime) > CLOSE_ENOUGH:
            found.append(f"time {name}")
    return found


def tree_steps(client, scenario) -> list:
    """Steps for smbclient: mput and mget for the contents, its tar mode for the times too."""
    source, inside = scenario.work / "tree", scenario.inside
    remote = f"{scenario.base}\\"

    def send() -> None:
        make_tree(source)
        owned_directory(inside / "tree")
        client.run(SHARE, "recurse ON; prompt OFF; mput *", "-D", f"{remote}tree", cwd=source)
        check(inside / "tree", times=False)

    def fetch() -> None:
        back = scenario.work / "tree-back"
        back.mkdir()
        client.run(SHARE, "recurse ON; prompt OFF; mget *", "-D", f"{remote}tree", cwd=back)
        check(back, times=False)

    def tar_send() -> None:
        owned_directory(inside / "tar")
        archive = scenario.work / "tree.tar"
        expect(proc.run(["tar", "-C", source, "-cf", archive, "."]).returncode == 0, "tar failed")
        client.run(SHARE, "", "-D", f"{remote}tar", "-Tx", str(archive))
        check(inside / "tar", times=True)

    def tar_fetch() -> None:
        archive, back = scenario.work / "back.tar", scenario.work / "tar-back"
        back.mkdir()
        client.run(SHARE, "", "-D", f"{remote}tar", "-Tc", str(archive))
        expect(proc.run(["tar", "-C", back, "-xf", archive]).returncode == 0, "tar failed")
        inner = next((path for path in (back / scenario.base / "tar", back) if path.is_dir()))
        check(inner, times=True)

    def check(tree: Path, times: bool) -> None:
        found = differences(source, tree, times)
        expect(not found, f"{len(found)} of {FILES} differ: {found[:3]}")

    return [
        ("mput 2000 files", send),
        ("mget 2000 files", fetch),
        ("tar to the server, with times", tar_send),
        ("tar from the server, with times", tar_fetch),
    ]
