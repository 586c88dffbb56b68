"""The list of shares over a pipe, for clients that have pipes but no RPC of their own."""

from impacket.dcerpc.v5 import srvs
from impacket.dcerpc.v5.rpcrt import DCERPC_v5
from impacket.dcerpc.v5.transport import DCERPCTransport


class PipeTransport(DCERPCTransport):
    """impacket's DCE/RPC over a file-like pipe of another client."""

    def __init__(self, pipe, host: str) -> None:
        super().__init__(host, 0)
        self._pipe = pipe
        self._unread = b""

    def connect(self) -> int:
        return 1

    def send(self, data, forceWriteAndx=0, forceRecv=0) -> None:
        self._pipe.write(data)

    def recv(self, forceRecv=0, count=0) -> bytes:
        # whole messages: smbprotocol cannot make sense of the warning that a message goes on
        if not self._unread:
            self._unread = self._pipe.read(65536)
        taken = self._unread[: count or None]
        self._unread = self._unread[len(taken) :]
        return taken


def share_names(pipe, host: str) -> list[str]:
    """NetrShareEnum, level 1."""
    rpc = DCERPC_v5(PipeTransport(pipe, host))
    rpc.connect()
    rpc.bind(srvs.MSRPC_UUID_SRVS)
    answer = srvs.hNetrShareEnum(rpc, 1)
    return [share["shi1_netname"].rstrip("\0") for share in answer["InfoStruct"]["ShareInfo"]["Level1"]["Buffer"]]
