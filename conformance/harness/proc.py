"""Child processes that end with their owner."""

import os
import signal
import socket
import subprocess
import time


def run(command: list, timeout: float = 60, env: dict | None = None, **options) -> subprocess.CompletedProcess:
    """Runs to the end with both outputs as text in `stdout`."""
    return subprocess.run(
        [str(word) for word in command],
        stdin=options.pop("stdin", subprocess.DEVNULL),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        encoding="utf-8",
        errors="replace",
        **options,
    )


def end(process: subprocess.Popen, sig: int = signal.SIGTERM, patience: float = 10) -> int:
    """Ends a child by signal, by force after `patience` seconds; its exit status."""
    if process.poll() is None:
        process.send_signal(sig)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def wait_for_port(port: int, process: subprocess.Popen, patience: float = 20) -> None:
    """Returns once 127.0.0.1:port takes connections; raises if the process ends before."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"server on port {port} ended with status {process.returncode} before it was ready")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"server on port {port} was not ready after {patience} s")
