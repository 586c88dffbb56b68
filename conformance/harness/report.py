"""Counts checks and closes with the line that conformance/check adds up."""

import threading
import time


class Report:
    """Results of one suite. Safe to use from several threads."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.passed = 0
        self.failures: list[str] = []
        self.started = time.monotonic()
        self._lock = threading.Lock()

    def ok(self, count: int = 1) -> None:
        with self._lock:
            self.passed += count

    def fail(self, what: str) -> None:
        with self._lock:
            self.failures.append(what)
            print(f"FAIL {what}", flush=True)

    def check(self, name: str, good: bool, detail: str = "") -> bool:
        """Counts one check; `detail` says what was seen instead."""
        if good:
            self.ok()
        else:
            self.fail(f"{name}: {detail}" if detail else name)
        return good

    def note(self, text: str) -> None:
        with self._lock:
            print(text, flush=True)

    def close(self) -> int:
        """Prints the failures again and the closing line; the exit status of the suite."""
        print(f"\n{self.suite}: {time.monotonic() - self.started:.0f} s")
        for failure in self.failures[:40]:
            print(f"  failed: {failure[:200]}")
        if len(self.failures) > 40:
            print(f"  and {len(self.failures) - 40} more above")
        print(f"{self.passed} passed, {len(self.failures)} failed, 0 skipped", flush=True)
        return 1 if self.failures or not self.passed else 0
