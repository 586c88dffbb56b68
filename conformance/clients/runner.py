"""Runs cells of the matrix, each in a process of its own, and reports them."""

import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from harness import paths, payload, proc
from harness.farm import Farm
from harness.report import Report
from harness.server import HOST, Share
from harness.work import owned_directory, plain_shares

from .adapters import MODULES, adapter
from .scenario import MANY, MANY_SHARE

# Seconds for a cell; the gigabyte both ways takes the slowest client two minutes.
LIMIT, LIMIT_LARGE = 120, 480


def chosen(only: list[str], server: str) -> list[tuple]:
    """(client, adapter, cell), those that take longest first."""
    found = []
    for client in MODULES:
        kind = adapter(client)
        for cell in kind.cells:
            if server == "smbd" and cell in kind.refused_by_smbd:
                continue
            if not only or client in only or f"{client}:{cell.id}" in only:
                found.append((client, kind, cell))
    return sorted(found, key=lambda job: job[2] != job[1].large_cell)


def shares_with_names(work: Path) -> list[Share]:
    """Writable and read-only shares, and one with a directory of many names."""
    many = owned_directory(work / "share" / MANY_SHARE)
    for name in payload.many_names(MANY):
        (many / name).touch()
    return [*plain_shares(work, ("t1",)), Share(MANY_SHARE, many)]


@dataclass(frozen=True)
class Run:
    """What the cells of one run have in common."""

    farm: Farm
    shares: list[Share]
    work: Path
    report: Report
    # Sizes of files to send and fetch; the gigabyte only in a client's cell for it.
    sizes: tuple[int, ...]
    # Whether clients also do what only they can.
    extra: bool = True
    # Cell number to where its client connects; port 0: any.
    at: Callable[[int], tuple[str, int]] = lambda number: (HOST, 0)
    # What is done around a cell, given its number and name.
    around: Callable[[int, str], AbstractContextManager] = lambda number, name: nullcontext()


def run_cell(run: Run, number: int, job: tuple) -> None:
    """Runs one cell and reports it. `number` tells the cells of a run apart."""
    client, kind, cell = job
    report = run.report
    name = f"{client} {cell.id}"
    started = time.monotonic()
    sizes = [size for size in run.sizes if size < payload.GIB or cell == kind.large_cell]
    own = run.work / f"{client}-{cell.id.replace('/', '-')}"
    own.mkdir()
    request = {
        "client": client,
        "cell": cell.id,
        "port": run.farm.get(kind.policy(cell)).port,
        "at": run.at(number),
        "work": str(own),
        "shares": {share.name: str(share.path) for share in run.shares},
        "sizes": sizes,
        "extra": run.extra,
    }
    command = [sys.executable, "-m", "clients.cell", json.dumps(request)]
    try:
        with run.around(number, name):
            done = proc.run(command, timeout=LIMIT_LARGE if payload.GIB in sizes else LIMIT, cwd=paths.CONFORMANCE)
        answer = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired as late:
        report.fail(f"{name}: not done after {late.timeout:.0f} s")
        return
    except (ValueError, IndexError):
        report.fail(f"{name}: the client's process broke: {done.stdout[-800:]}")
        return
    finally:
        shutil.rmtree(own, ignore_errors=True)
    bad = [result for result in answer["results"] if result["problem"]]
    report.ok(len(answer["results"]) - len(bad))
    report.note(
        f"{'FAIL' if bad else 'ok'}  {name:42} {time.monotonic() - started:6.1f} s"
        f"  {len(answer['results']) - len(bad)}/{len(answer['results'])}  ({answer['negotiated']})"
    )
    for result in bad:
        report.fail(f"{name}: {result['step']}: {result['problem']}")


def run_cells(run: Run, jobs: list[tuple], workers: int) -> None:
    """Runs all cells, `workers` at a time."""
    with ThreadPoolExecutor(workers) as pool:
        cells = [pool.submit(run_cell, run, number, job) for number, job in enumerate(jobs, 1)]
    for cell in cells:
        cell.result()
