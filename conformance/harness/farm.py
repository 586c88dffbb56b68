"""Servers with the same shares and different policies."""

from contextlib import ExitStack
from pathlib import Path

from .server import KINDS, Policy, Server, Share


class Farm:
    """Starts one server for each policy; use as a `with` block, all end with it."""

    def __init__(self, kind: str, shares: list[Share], work: Path, first_port: int, policies: set[Policy]) -> None:
        self._servers: dict[Policy, Server] = {}
        self._stack = ExitStack()
        for port, policy in enumerate(sorted(policies, key=Policy.label), first_port):
            self._servers[policy] = KINDS[kind](port, shares, work / "state" / policy.label(), policy)

    def __enter__(self) -> "Farm":
        with ExitStack() as stack:
            for server in self._servers.values():
                stack.enter_context(server)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception) -> None:
        self._stack.__exit__(*exception)

    def get(self, policy: Policy) -> Server:
        return self._servers[policy]

    def all(self) -> list[Server]:
        return list(self._servers.values())
