"""Series that a host ships: each says of which host it is, and that must be the one whose certificate was shown.

In: the body of a remote write (snappy over protobuf, Prometheus' remote-write specification 1.0) and its sender.
Out: nothing; raises Refused for a body of which any series is of somebody else. Nothing of it is stored then.
Holds: the labels `host` and `instance` are the sender's, each there once; names that only a monitor computes
(recording rules have a colon, alerts are `ALERTS…`) come from nobody.

Why it is fast: a host ships the same series again and again. The labels of a series that was found good are
remembered by their hash (SipHash under a key of this process, so that nobody can make two that collide), and what
follows them is one sample of sixteen bytes: then two comparisons suffice. Everything else is read field by field.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.hub.refused import Refused
from bastide.hub.snappy import read_varint, unpack_snappy

MAX_PACKED = 8 << 20
MAX_PLAIN = 32 << 20
"""vmagent makes blocks of at most 8 MiB, unpacked."""
MAX_KNOWN = 50_000
"""Series a host whose labels are remembered; two vmagents may ship no more than that at once."""
OTHER_HOST = "other-host"

_SERIES, _METADATA = 0x0A, 0x1A
_LABEL, _NAME, _VALUE = 0x0A, 0x0A, 0x12
_AFTER_LABELS = (0x12, 0x1A, 0x22)
"""Samples, exemplars, histograms."""
_SAMPLE = b"\x12\x10"
_SAMPLE_BYTES = 18
_RESERVED = (b"ALERTS", b"ALERTS_FOR_STATE")


class Checked:
    """What one host shipped before."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._known: set[int] = set()

    def check(self, body: bytes) -> int:
        """How many series it holds. Raises Refused."""
        plain = unpack(body)
        known, count = self._known, 0
        for begin, end in _messages(plain):
            count += 1
            labels = plain[begin : end - _SAMPLE_BYTES]
            if plain[end - _SAMPLE_BYTES : end - _SAMPLE_BYTES + 2] == _SAMPLE and hash(labels) in known:
                continue
            labels = plain[begin : self._read(plain, begin, end)]
            if len(known) >= MAX_KNOWN:
                known.clear()
            known.add(hash(labels))
        return count

    def _read(self, plain: bytes, begin: int, end: int) -> int:
        """Where the labels of this series end, if they are as they must be."""
        labels: dict[bytes, bytes] = {}
        place = begin
        while place < end and plain[place] == _LABEL:
            size, place = _size(plain, place + 1, end)
            name, value = _label(plain[place : place + size])
            if name in labels:
                raise _broken("a label is given twice")
            labels[name] = value
            place += size
        last = place
        while place < end:
            if plain[place] not in _AFTER_LABELS:
                raise _broken("a series is its labels, then its samples")
            size, place = _size(plain, place + 1, end)
            place += size
        self._judge(labels)
        return last

    def _judge(self, labels: dict[bytes, bytes]) -> None:
        name, own = labels.get(b"__name__", b""), self._host.encode()
        if labels.get(b"host") != own or labels.get(b"instance") != own:
            raise Refused(400, OTHER_HOST, f"{self._host} may not ship series of another host")
        if b":" in name or name in _RESERVED:
            raise Refused(400, OTHER_HOST, f"{self._host} may not ship what only a monitor computes")


def unpack(body: bytes) -> bytes:
    """Without compression, and bounded before anything is allocated. Raises Refused."""
    try:
        return unpack_snappy(body, most=MAX_PLAIN)
    except ValueError as error:
        raise _broken(f"not snappy: {error}") from None


def _messages(plain: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each series."""
    place, end = 0, len(plain)
    while place < end:
        kind = plain[place]
        size, place = _size(plain, place + 1, end)
        if kind == _SERIES:
            yield place, place + size
        elif kind != _METADATA:
            raise _broken("an unknown field")
        place += size


def _label(plain: bytes) -> tuple[bytes, bytes]:
    if not plain or plain[0] != _NAME:
        raise _broken("a label begins with its name")
    size, place = _size(plain, 1, len(plain))
    name, place = plain[place : place + size], place + size
    if place == len(plain):
        return name, b""
    if plain[place] != _VALUE:
        raise _broken("a label is a name and a value")
    size, place = _size(plain, place + 1, len(plain))
    if place + size != len(plain):
        raise _broken("a label is a name and a value")
    return name, plain[place:]


def _size(plain: bytes, place: int, end: int) -> tuple[int, int]:
    """A length, and where what it is the length of begins; that ends before `end`."""
    try:
        size, place = read_varint(plain, place)
    except (IndexError, ValueError):
        raise _broken("a length is cut off") from None
    if place + size > end:
        raise _broken("something is longer than what holds it")
    return size, place


def _broken(why: str) -> Refused:
    return Refused(400, "remote-write", f"not a remote write: {why}")
