"""Packet sockets: many frames a system call, a filter in the kernel, an exact count of what arrives.

In: frames one after the other. Out: how many the kernel took. Needs root (CAP_NET_RAW).
"""

import ctypes
import os
import socket
import struct
import time

BATCH = 256
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_QDISC_BYPASS, _PACKET_IGNORE_OUTGOING = 263, 6, 20, 23
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 26, 33
_ENOBUFS, _EAGAIN, _EINTR = 105, 11, 4
Program = "list[tuple[int, int, int, int]]"
_libc = ctypes.CDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Message(ctypes.Structure):
    _fields_ = [("header", _Header), ("sent", ctypes.c_uint)]


def packet_socket(
    interface: str, kind: int, program: "list[tuple[int, int, int, int]]", buffer: int
) -> socket.socket:
    """A raw packet socket on one interface that receives only what the filter passes."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    # Before it is bound to a protocol it receives nothing, so nothing that the filter would refuse slips in.
    attach_filter(raw, program)
    raw.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
    try:
        raw.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
        raw.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    except OSError:
        pass  # older kernels: slower, and the filter refuses our own frames anyway
    raw.bind((interface, kind))
    raw.setblocking(False)
    return raw


def attach_filter(raw: socket.socket, program: "list[tuple[int, int, int, int]]") -> None:
    """A classic BPF program: (code, jump if true, jump if false, operand)."""
    packed = b"".join(struct.pack("HBBI", *step) for step in program)
    held = ctypes.create_string_buffer(packed)
    raw.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(held)))


def count_seen(raw: socket.socket) -> int:
    """How many packets passed the filter since the last call, whether or not there was room to keep them."""
    packets, _ = struct.unpack("II", raw.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
    return int(packets)


class Salvo:
    """Room for equal-sized frames that are sent in batches; one is enough for any number of targets."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size
        self._held = ctypes.create_string_buffer(count * size)
        start = ctypes.addressof(self._held)
        self._vectors = (_Vector * count)(*[_Vector(start + size * n, size) for n in range(count)])
        first, step = ctypes.addressof(self._vectors), ctypes.sizeof(_Vector)
        self._messages = (_Message * count)(
            *[_Message(_Header(None, 0, first + step * n, 1, None, 0, 0), 0) for n in range(count)]
        )

    def load(self, frames: bytearray) -> None:
        """Put those frames into it."""
        assert len(frames) == self.count * self.size
        ctypes.memmove(self._held, bytes(frames), len(frames))

    def send(self, raw: socket.socket, begin: int, end: int) -> None:
        """Send those frames; waits where the kernel has no room. Raises OSError."""
        base, step = ctypes.addressof(self._messages), ctypes.sizeof(_Message)
        while begin < end:
            sent = _libc.sendmmsg(raw.fileno(), ctypes.c_void_p(base + begin * step), end - begin, 0)
            if sent > 0:
                begin += sent
                continue
            error = ctypes.get_errno()
            if error not in (_ENOBUFS, _EAGAIN, _EINTR):
                raise OSError(error, os.strerror(error))
            time.sleep(0.0005)
