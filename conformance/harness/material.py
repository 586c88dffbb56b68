"""What the guest of `kernel` works with: a source tree, a git repository, a C project, checkers."""

import os
import shutil
from pathlib import Path

from . import paths, payload, proc

# Placed there by conformance/setup: the source of zlib as the distribution has it.
PROJECTS = paths.OUT / "project"

# Names that a Windows server could not keep as they are: the client maps them into the private-use area.
AWKWARD = ("a:b*c?.txt", 'quo"te<>|', "ends with a dot.", "ends with a space ", "-dash", "new~1.txt", "CON")

# Seconds since 1970: before SMB's usual range, a leap day, beyond 32 bits.
TIMES = (315532801, 951782400, 1700000000, 4294967297)


def make(into: Path, files: int) -> Path:
    """Fills the empty directory `into`; the repository gets `files` files."""
    into.mkdir(parents=True)
    _tree(into / "tree", files // 10)
    _repository(into / "repository", files)
    for name in ("fsx", "stress"):
        _must([paths.tool("cc", "gcc"), "-O1", "-o", into / name, paths.CONFORMANCE / "guest" / f"{name}.c"])
    archives = sorted(PROJECTS.glob("*.orig.tar.*"))
    if not archives:
        raise paths.Missing(f"no source archive in {PROJECTS}: run conformance/setup")
    shutil.copy(archives[0], into / f"project.tar{archives[0].suffix}")
    for name, package in (("sqlite3", "sqlite3"), ("dbench", "dbench"), ("make", "make")):
        paths.tool(name, package)
    return into


def _must(command: list, **options) -> None:
    done = proc.run(command, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(str(word) for word in command)}: {done.stdout[-500:]}")


def _content(index: int) -> bytes:
    """Text of a few hundred bytes; each sixteenth file is longer than one READ."""
    line = f"line of file {index}\n".encode()
    return line * (5000 if index % 16 == 5 else 1 + index % 40)


def _tree(into: Path, generated: int) -> None:
    """This repository's own sources, and what they lack: odd names, links, old and future times, read-only files."""
    into.mkdir()
    listed = proc.run([paths.tool("git", "git"), "-C", paths.ROOT, "ls-files", "-z", "smb-engine", "conformance"]).stdout
    for name in filter(None, listed.split("\0")):
        if (source := paths.ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, into / name)
    special = into / "special"
    special.mkdir()
    for name in [*AWKWARD, *payload.many_names(generated)]:
        (special / name).write_text(name)
    for index, (path, time) in enumerate(zip(sorted(special.iterdir()), TIMES * 5)):
        os.utime(path, (time, time))
        path.chmod(0o444 if index % 3 == 0 else 0o644)
    (special / "empty").touch()
    (special / "empty directory").mkdir()
    deep = special.joinpath(*[f"level {level} of a deep tree" for level in range(20)])
    deep.mkdir(parents=True)
    (deep / "at the bottom").write_text("found")
    (special / "link to a file").symlink_to("empty")
    (special / "link upwards").symlink_to("../special/empty directory")
    (special / "link to nothing").symlink_to("does/not/exist")
    payload.write_file(special / "5 MiB and one", 5 * payload.MIB + 1)


def _repository(into: Path, files: int) -> None:
    """Two branches; `other` changes a third of the files, removes some and adds some."""
    git = paths.tool("git", "git")
    _must([git, "init", "-q", "--bare", "-b", "main", into])

    def name(index: int) -> str:
        return f"part{index % 40}/unit{index % 7}/file-{index}.c"

    def blob(path: str, data: bytes) -> bytes:
        return f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n"

    def commit(branch: str, parent: str, time: int) -> bytes:
        head = f"commit refs/heads/{branch}\ncommitter a <a@example.com> {time} +0000\ndata 1\nx\n"
        return (head + (f"from {parent}\n" if parent else "")).encode()

    stream = [commit("main", "", 1700000000)]
    stream += [blob(name(index), _content(index)) for index in range(files)]
    stream.append(commit("other", "refs/heads/main", 1700000100))
    for index in range(0, files, 3):
        stream.append(f"D {name(index)}\n".encode() if index % 10 == 0 else blob(name(index), _content(index + 1)))
    stream += [blob(f"new/file-{index}", _content(index)) for index in range(files // 20)]
    script = into.parent / "fast-import"
    script.write_bytes(b"".join(stream))
    with open(script, "rb") as source:
        _must([git, "-C", into, "fast-import", "--quiet"], stdin=source)
    script.unlink()
