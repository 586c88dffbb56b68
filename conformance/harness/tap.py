"""A relay between client and server that notes what was negotiated and how messages were protected.

A client that silently fell back to another dialect or sent in the clear is
found out here, whatever it says of itself. The relay runs in a process of its
own, so that Python clients keep their speed.
"""

import multiprocessing
import os
import signal
import socket
import struct
import threading
from dataclasses import dataclass, field, replace

from .server import HOST

NEGOTIATE, CREATE, READ, WRITE = 0, 5, 8, 9
RESPONSE, SIGNED = 0x01, 0x08  # SMB2_FLAGS_SERVER_TO_REDIR, SMB2_FLAGS_SIGNED
PENDING = (0x103).to_bytes(4, "little")  # STATUS_PENDING
DIALECTS = {0x0202: "2.0.2", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1"}
CIPHERS = {1: "AES-128-CCM", 2: "AES-128-GCM", 3: "AES-256-CCM", 4: "AES-256-GCM"}
SIGNERS = {0: "HMAC-SHA256", 1: "AES-CMAC", 2: "AES-GMAC"}
ENCRYPTION_CONTEXT, SIGNING_CONTEXT = 2, 8


@dataclass
class Seen:
    """What one connection did, or one direction of it."""

    dialect: str = ""
    cipher: str = ""
    signer: str = ""
    encrypted: int = 0
    # Frames in the clear that open, read or write files.
    clear: int = 0
    # Those of them that carry a signature.
    signed: int = 0

    def joined(self, other: "Seen") -> "Seen":
        """With the counts of the other direction."""
        return replace(
            self,
            encrypted=self.encrypted + other.encrypted,
            clear=self.clear + other.clear,
            signed=self.signed + other.signed,
        )

    @property
    def worked(self) -> bool:
        """Whether anything was done beyond logging on."""
        return self.clear + self.encrypted > 0

    def negotiated(self, frame: bytes) -> None:
        """Takes in a NEGOTIATE response, [MS-SMB2] 2.2.4."""
        body = frame[64:]
        dialect, contexts = struct.unpack_from("<HH", body, 4)
        if dialect not in DIALECTS:
            return  # 0x02FF: the client asks again
        self.dialect = DIALECTS[dialect]
        self.signer = "HMAC-SHA256" if dialect < 0x0300 else "AES-CMAC"
        self.cipher = "AES-128-CCM" if 0x0300 <= dialect < 0x0311 else ""
        if dialect == 0x0311:
            (at,) = struct.unpack_from("<I", body, 60)
            for _ in range(contexts):
                kind, length = struct.unpack_from("<HH", frame, at)
                data = frame[at + 8 : at + 8 + length]
                if kind == ENCRYPTION_CONTEXT:
                    self.cipher = CIPHERS.get(struct.unpack_from("<H", data, 2)[0], "none")
                elif kind == SIGNING_CONTEXT:
                    self.signer = SIGNERS.get(struct.unpack_from("<H", data, 2)[0], "unknown")
                at += (8 + length + 7) // 8 * 8

    def frame(self, head: bytes) -> None:
        """Takes in the beginning of any frame."""
        if head[:4] == b"\xfdSMB":
            self.encrypted += 1
        elif head[:4] == b"\xfeSMB" and len(head) >= 64:
            (command,) = struct.unpack_from("<H", head, 12)
            (flags,) = struct.unpack_from("<I", head, 16)
            if command == NEGOTIATE and flags & RESPONSE:
                self.negotiated(head)
            elif flags & RESPONSE and head[8:12] == PENDING:
                return  # an interim response need not be signed, [MS-SMB2] 3.2.5.1.3
            elif command in (CREATE, READ, WRITE):
                self.clear += 1
                self.signed += bool(flags & SIGNED)


@dataclass
class _Frames:
    """Cuts a byte stream into frames and shows the beginning of each to `seen`."""

    seen: Seen
    head: bytearray = field(default_factory=bytearray)
    skip: int = 0

    HEAD = 1024  # holds a NEGOTIATE response with its contexts

    def feed(self, data: memoryview) -> None:
        while data:
            if self.skip:
                step = min(self.skip, len(data))
                self.skip -= step
                data = data[step:]
                continue
            have = len(self.head)
            if have < 4:
                take = min(4 - have, len(data))
                self.head += data[:take]
                data = data[take:]
                continue
            length = int.from_bytes(self.head[1:4])
            want = 4 + min(length, self.HEAD)
            take = min(want - have, len(data))
            self.head += data[:take]
            data = data[take:]
            if len(self.head) == want:
                self.seen.frame(bytes(self.head[4:]))
                self.skip = length - (want - 4)
                self.head.clear()


def _pump(source: socket.socket, sink: socket.socket, seen: Seen) -> None:
    """Carries one direction until it ends, which ends the other too."""
    frames = _Frames(seen)
    buffer = memoryview(bytearray(1 << 20))
    try:
        while count := source.recv_into(buffer):
            frames.feed(buffer[:count])
            sink.sendall(buffer[:count])
    except OSError:
        pass  # a reset by either side ends both
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # gone already


def _relay(client: socket.socket, target: tuple[str, int], asked: Seen, answered: Seen) -> None:
    # a thread for each direction: one that waits for its peer to read must not keep the other from reading
    with client, socket.create_connection(target) as server:
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        other = threading.Thread(target=_pump, args=(server, client, answered), daemon=True)
        other.start()
        _pump(client, server, asked)
        other.join()


def _serve(listener: socket.socket, target: tuple[str, int], pipe) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connections: list[tuple[Seen, Seen]] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            connections.append((Seen(), Seen()))
            thread = threading.Thread(target=_relay, args=(client, target, *connections[-1]), daemon=True)
            thread.start()
            threads.append(thread)

    threading.Thread(target=accept, daemon=True).start()
    pipe.recv()  # until the owner wants the result
    for thread in list(threads):
        thread.join(2)  # what the client sent last may still be on its way
    pipe.send([answered.joined(asked) for asked, answered in connections])
    pipe.close()
    os._exit(0)


class Tap:
    """Relays `port` of this machine to a server's; `with Tap(port) as tap`, then `tap.result()`.

    `at` is for clients that cannot be told a port: an address of the loopback network, and port 445.
    """

    def __init__(self, server_port: int, at: tuple[str, int] = (HOST, 0)) -> None:
        self._target = (HOST, server_port)
        self._at = at

    def __enter__(self) -> "Tap":
        listener = socket.create_server(self._at, backlog=64)
        self.port = listener.getsockname()[1]
        self._pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=_serve, args=(listener, self._target, theirs), daemon=True)
        self._process.start()
        listener.close()
        theirs.close()
        return self

    def __exit__(self, *_) -> None:
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()

    def result(self) -> list[Seen]:
        """Ends the relay; what its connections did."""
        self._pipe.send(None)
        return self._pipe.recv()
