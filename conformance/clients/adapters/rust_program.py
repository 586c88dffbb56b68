"""Client crates of Rust, behind the line protocol of conformance/rust-clients."""

import json
import subprocess
from pathlib import Path

from harness import paths, proc

from ..adapter import BaseAdapter, Refused


class RustAdapter(BaseAdapter):
    """A crate by name. The process starts with the first operation and ends with `close`."""

    crate = ""

    def __init__(self, target) -> None:
        super().__init__(target)
        self._process: subprocess.Popen | None = None

    def options(self) -> list[str]:
        """More arguments, for crates that can be told how to speak."""
        return []

    def _started(self) -> subprocess.Popen:
        if self._process is None:
            if not paths.RUST_CLIENTS.is_file():
                raise paths.Missing(f"{paths.RUST_CLIENTS} is not built: run cargo build --manifest-path conformance/rust-clients/Cargo.toml")
            to = self.target
            command = [str(paths.RUST_CLIENTS), self.crate, "--host", to.host, "--port", str(to.port)]
            command += ["--user", to.user.name, "--password", to.user.password, *self.options()]
            errors = open(to.work / "stderr", "ab")
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        return self._process

    def _ask(self, op: str, **arguments):
        process = self._started()
        process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            problem = (self.target.work / "stderr").read_text(errors="replace")[-600:]
            raise AssertionError(f"the client ended in {op} with status {process.wait()}: {problem}")
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused.by_number(answer["status"], answer["refused"])
        return answer["ok"]

    def shares(self) -> list[str]:
        return self._ask("shares")

    def list(self, share: str, path: str) -> list[str]:
        return self._ask("list", share=share, path=path)

    def put(self, share: str, local: Path, remote: str) -> None:
        self._ask("put", share=share, local=str(local), remote=remote)

    def get(self, share: str, remote: str, local: Path) -> None:
        self._ask("get", share=share, remote=remote, local=str(local))

    def mkdir(self, share: str, path: str) -> None:
        self._ask("mkdir", share=share, path=path)

    def rename(self, share: str, old: str, new: str, replace: bool) -> None:
        self._ask("rename", share=share, **{"from": old, "to": new}, replace=replace)

    def delete(self, share: str, path: str) -> None:
        self._ask("delete", share=share, path=path)

    def rmdir(self, share: str, path: str) -> None:
        self._ask("rmdir", share=share, path=path)

    def close(self) -> None:
        if self._process is not None:
            self._process.stdin.close()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                proc.end(self._process)
