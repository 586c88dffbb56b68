"""One cell of the matrix, in a process of its own; prints what happened as JSON on its last line.

The process apart keeps the libraries' global state, and their hangs, away from
the other cells.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from harness.server import USER
from harness.tap import Seen, Tap

from .adapter import Target
from .adapters import adapter
from .matrix import ENCRYPTED, NONE, SIGNED, Cell
from .scenario import Result, Scenario


def negotiated(cell: Cell, connections: list[Seen]) -> str:
    """What is wrong with the way the connections talked; empty if nothing is."""
    used = [seen for seen in connections if seen.worked]
    if not used:
        return "no connection did anything"
    for seen in used:
        if seen.dialect != cell.dialect:
            return f"dialect {seen.dialect}"
        if cell.protection == ENCRYPTED:
            if seen.clear or not seen.encrypted:
                return f"{seen.clear} messages in the clear, {seen.encrypted} encrypted"
            if cell.algorithm and seen.cipher != cell.algorithm:
                return f"cipher {seen.cipher}"
        elif seen.encrypted:
            return f"{seen.encrypted} messages encrypted"
        elif cell.protection == SIGNED:
            if seen.signed < seen.clear:
                return f"{seen.clear - seen.signed} of {seen.clear} messages not signed"
            if cell.algorithm and seen.signer != cell.algorithm:
                return f"signing algorithm {seen.signer}"
        elif cell.protection == NONE and seen.signed:
            return f"{seen.signed} of {seen.clear} messages signed"
    return ""


def algorithms(connections: list[Seen]) -> str:
    """What the connections of a cell agreed on, for the reader."""
    return ", ".join(sorted({f"{seen.dialect} {seen.signer} {seen.cipher}".strip() for seen in connections if seen.worked}))


def main(request: dict) -> dict:
    """`request`: client, cell, port, at (where the client shall connect), work, shares (name to directory), sizes, extra (steps that only this client does)."""
    kind, cell, work = adapter(request["client"]), Cell.parse(request["cell"]), Path(request["work"])
    shares = {name: Path(path) for name, path in request["shares"].items()}
    with Tap(request["port"], tuple(request["at"])) as tap:
        target = Target(tap.port, USER, cell, work, request["at"][0])
        results = Scenario(request["client"], kind, target, shares, request["sizes"]).run(request["extra"])
        connections = tap.result()
    results.append(Result("negotiated as asked", negotiated(cell, connections)))
    return {"results": [asdict(result) for result in results], "negotiated": algorithms(connections)}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
