"""What every client does in every cell, step by step."""

import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

from harness import payload
from harness.server import User
from harness.work import give_to_user, owned_directory

from .adapter import BaseAdapter, Refused, Target

MANY = 5000
SHARE, READ_ONLY, MANY_SHARE = "t1", "ro", "many"


@dataclass
class Result:
    step: str
    problem: str = ""


class Scenario:
    """Runs the steps against one adapter and looks at the share's directory from the inside."""

    def __init__(self, name: str, kind: type[BaseAdapter], target: Target, shares: dict[str, Path], sizes: list[int]) -> None:
        self.kind = kind
        self.target = target
        self.client = kind(target)
        self.sizes = sizes
        self.base = f"{name}-{target.cell.id.replace('/', '-')}"
        self.inside = shares[SHARE] / self.base
        self.results: list[Result] = []
        self.work = target.work

    def run(self, extra: bool) -> list[Result]:
        steps: list[tuple[str, Callable[[], None]]] = [
            ("mkdir", self.mkdir),
            *([("list shares", self.list_shares)] if self.kind.lists_shares else []),
            ("list 5000", self.list_many),
            *((f"put and get {size} B", lambda size=size: self.transfer(size)) for size in self.sizes),
            ("rename", self.rename),
            ("rename onto existing", self.rename_onto),
            ("delete", self.delete),
            ("delete non-empty directory", self.delete_full),
            ("read-only share", self.read_only),
            ("unknown share", self.unknown_share),
            ("wrong password", lambda: self.logon_refused(User(self.target.user.name, "wrong"))),
            ("unknown user", lambda: self.logon_refused(User("nobody-here", "Secret-001"))),
            ("disabled guest", self.guest_refused),
        ]
        steps += self.client.extra_steps(self) if extra else []
        try:
            for name, step in steps:
                self.step(name, step)
                if not self.inside.is_dir() and name == "mkdir":
                    break  # the steps that follow have nowhere to work
        finally:
            self.client.close()
        return self.results

    def step(self, name: str, step: Callable[[], None]) -> None:
        try:
            step()
            self.results.append(Result(name))
        except Exception as problem:  # a client's library may raise anything; all of it is a failed step
            self.results.append(Result(name, " ".join(f"{type(problem).__name__}: {problem}".split())[:400]))

    def plant(self, name: str, text: str) -> None:
        """A file put there behind the server's back, as the user's own."""
        path = self.inside / name
        path.write_text(text)
        give_to_user(path)

    def list_shares(self) -> None:
        names = {name.lower() for name in self.client.shares()}
        expect({SHARE, READ_ONLY, MANY_SHARE} <= names, f"shares listed: {sorted(names)}")

    def mkdir(self) -> None:
        self.client.mkdir(SHARE, self.base)
        expect(self.inside.is_dir(), "no directory on the server")
        self.client.mkdir(SHARE, f"{self.base}/Ünter 目录")
        expect((self.inside / "Ünter 目录").is_dir(), "no directory below it on the server")

    def list_many(self) -> None:
        names = [unicodedata.normalize("NFC", name) for name in self.client.list(MANY_SHARE, "")]
        wanted = {unicodedata.normalize("NFC", name) for name in payload.many_names(MANY)}
        expect(len(names) == len(set(names)), "a name came twice")
        missing, extra = wanted - set(names), set(names) - wanted
        expect(not missing and not extra, f"{len(missing)} missing, {len(extra)} too many: {[*missing][:3]} {[*extra][:3]}")

    def transfer(self, size: int) -> None:
        source = self.work.parent / f"source-{size}"
        if not source.exists():
            source = payload.write_file(self.work / f"source-{size}", size)
        wanted = payload.checksum(source)
        remote, back = f"{self.base}/file {size}", self.work / "back"
        self.client.put(SHARE, source, remote)
        expect(payload.checksum(self.inside / f"file {size}") == wanted, "the server's copy differs")
        self.client.get(SHARE, remote, back)
        expect(payload.checksum(back) == wanted, "the copy that came back differs")
        back.unlink()
        if size >= payload.MIB:
            (self.inside / f"file {size}").unlink()

    def rename(self) -> None:
        self.plant("old", "first")
        self.client.rename(SHARE, f"{self.base}/old", f"{self.base}/nëw 名", replace=False)
        expect(not (self.inside / "old").exists(), "the old name is still there")
        expect((self.inside / "nëw 名").read_text() == "first", "the new name has other contents")

    def rename_onto(self) -> None:
        self.plant("one", "one")
        self.plant("two", "two")
        move = (SHARE, f"{self.base}/one", f"{self.base}/two")
        if self.kind.renames_without_replacing:
            refused(lambda: self.client.rename(*move, replace=False), "OBJECT_NAME_COLLISION")
            expect((self.inside / "two").read_text() == "two", "refused, yet replaced")
        if self.kind.renames_replacing:
            self.client.rename(*move, replace=True)
            expect(not (self.inside / "one").exists(), "the old name is still there")
            expect((self.inside / "two").read_text() == "one", "not replaced")

    def delete(self) -> None:
        self.plant("gone", "x")
        self.client.delete(SHARE, f"{self.base}/gone")
        expect(not (self.inside / "gone").exists(), "still there")
        owned_directory(self.inside / "empty")
        self.client.rmdir(SHARE, f"{self.base}/empty")
        expect(not (self.inside / "empty").exists(), "the empty directory is still there")

    def delete_full(self) -> None:
        full = owned_directory(self.inside / "full")
        self.plant("full/file", "x")
        refused(lambda: self.client.rmdir(SHARE, f"{self.base}/full"), "DIRECTORY_NOT_EMPTY")
        expect((full / "file").exists(), "refused, yet gone")

    def read_only(self) -> None:
        source = payload.write_file(self.work / "small", 10)
        name = self.base + ".denied"
        refused(lambda: self.client.put(READ_ONLY, source, name), "ACCESS_DENIED", "MEDIA_WRITE_PROTECTED")
        refused(lambda: self.client.mkdir(READ_ONLY, name), "ACCESS_DENIED", "MEDIA_WRITE_PROTECTED")
        expect(name not in self.client.list(READ_ONLY, ""), "refused, yet made")

    def unknown_share(self) -> None:
        refused(lambda: self.client.list("no-such-share", ""), "BAD_NETWORK_NAME")

    def guest_refused(self) -> None:
        password = "" if self.kind.sends_empty_passwords else "guest"
        self.logon_refused(User("guest", password), "ACCOUNT_DISABLED", "ACCESS_DENIED")

    def logon_refused(self, user: User, *also: str) -> None:
        other = self.kind(replace(self.target, user=user))
        statuses = ("LOGON_FAILURE", *also) + (() if self.kind.tells_logon_status else ("",))
        try:
            refused(lambda: other.list(SHARE, ""), *statuses)
        finally:
            other.close()


def expect(good: bool, otherwise: str) -> None:
    if not good:
        raise AssertionError(otherwise)


def refused(action: Callable[[], object], *statuses: str) -> None:
    """`action` must be refused, and for one of these reasons."""
    try:
        action()
    except Refused as refusal:
        expect(refusal.status in statuses, f"refused with {refusal.status or 'no status'}, not {statuses}: {refusal}")
    else:
        raise AssertionError("not refused")
