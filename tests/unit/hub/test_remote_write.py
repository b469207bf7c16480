"""A host ships its own series and nobody else's, however the bytes are put."""

from __future__ import annotations

import contextlib
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastide.hub.refused import Refused
from bastide.hub.remote_write import MAX_PLAIN, Checked

OWN = {"__name__": "up", "host": "web1", "instance": "web1", "job": "node"}


def varint(number: int, pad: int = 0) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    for _ in range(pad):  # the same number, written longer than it must be
        out[-1] |= 128
        out.append(0)
    return bytes(out)


def field(tag: int, content: bytes, pad: int = 0) -> bytes:
    return bytes([tag]) + varint(len(content), pad) + content


def label(name: str, value: str, pad: int = 0) -> bytes:
    return field(0x0A, field(0x0A, name.encode(), pad) + field(0x12, value.encode(), pad), pad)


def sample(value: float = 1.0, t_ms: int = 1763640000000) -> bytes:
    return field(0x12, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(t_ms))


def series(labels: dict[str, str], *more: bytes, pad: int = 0) -> bytes:
    return field(0x0A, b"".join(label(n, v, pad) for n, v in labels.items()) + (b"".join(more) or sample()))


def body(*parts: bytes) -> bytes:
    return packed(b"".join(parts))


def packed(plain: bytes) -> bytes:
    """Snappy that packs nothing."""
    return varint(len(plain)) + (b"\xf8" + (len(plain) - 1).to_bytes(3, "little") + plain if plain else b"")


def refused(*parts: bytes, known: bool = True) -> str:
    checked = Checked("web1")
    if known:
        checked.check(body(series(OWN)))
    with pytest.raises(Refused) as found:
        checked.check(body(*parts))
    return found.value.code


def test_own_series_pass_the_first_time_and_ever_after() -> None:
    checked = Checked("web1")
    other = OWN | {"__name__": "node_load1"}
    for value in (1.0, 2.0, float("nan")):
        assert checked.check(body(series(OWN, sample(value)), series(other, sample(value)))) == 2
    assert checked.check(body(series(OWN, sample(), sample(2.0)), field(0x1A, b"metadata"))) == 1
    assert checked.check(body()) == 0


@pytest.mark.parametrize(
    "labels",
    [
        OWN | {"host": "lb1"},
        OWN | {"instance": "lb1"},
        {name: value for name, value in OWN.items() if name != "host"},
        OWN | {"host": "web1 "},
        OWN | {"__name__": "monitor:silent_hosts:ratio"},
        OWN | {"__name__": "ALERTS_FOR_STATE"},
    ],
    ids=str,
)
def test_what_is_of_another_is_refused_wherever_it_stands(labels: dict[str, str]) -> None:
    for known in (False, True):
        assert refused(series(OWN), series(labels), series(OWN), known=known) == "other-host"


def test_a_label_twice_in_any_spelling_is_refused() -> None:
    forged = label("host", "lb1")
    assert refused(field(0x0A, b"".join(label(n, v) for n, v in OWN.items()) + forged + sample())) == "remote-write"
    # After what was found good: before the sample, after it, spelled longer than it must be.
    good = b"".join(label(n, v) for n, v in OWN.items())
    assert refused(field(0x0A, good + sample() + forged)) == "remote-write"
    assert refused(field(0x0A, good + label("host", "lb1", pad=1) + sample())) == "remote-write"
    # Hidden where the fast way expects its sixteen bytes.
    hidden = forged + b"\x12\x10" + bytes(16)
    assert refused(field(0x0A, good + hidden)) == "remote-write"
    value_first = field(0x0A, field(0x12, b"lb1") + field(0x0A, b"host"))
    assert refused(field(0x0A, good + value_first + sample())) == "remote-write"


def test_a_sample_whose_sixteen_bytes_end_elsewhere_is_read_field_by_field() -> None:
    good = b"".join(label(n, v) for n, v in OWN.items())
    # The last eighteen bytes look like a sample and are the inside of a longer one.
    longer = field(0x12, bytes(3) + b"\x12\x10" + bytes(16))
    assert Checked("web1").check(body(series(OWN), field(0x0A, good + longer))) == 2


@pytest.mark.parametrize(
    ("given_", "code"),
    [
        (b"", "remote-write"),
        (b"no snappy at all", "remote-write"),
        (varint(MAX_PLAIN + 1) + b"\x00", "remote-write"),
        (varint(2**40), "remote-write"),
        (packed(b"\x0a\xff"), "remote-write"),
        (packed(b"\x0a\x05ab"), "remote-write"),
        (packed(b"\x08\x01"), "remote-write"),
        (packed(b"\x0a\xff\xff\xff\xff\xff\xff\xff\x01"), "remote-write"),
    ],
)
def test_what_is_no_remote_write_is_refused(given_: bytes, code: str) -> None:
    with pytest.raises(Refused) as found:
        Checked("web1").check(given_)
    assert found.value.code == code


@given(st.binary(max_size=300), st.booleans())
def test_nothing_but_a_refusal_comes_of_any_bytes(plain: bytes, wrapped: bool) -> None:
    with contextlib.suppress(Refused):
        Checked("web1").check(packed(plain) if wrapped else plain)


def test_a_thousand_series_a_second_time_cost_little() -> None:
    many = [series(OWN | {"cpu": str(n), "mode": "idle"}) for n in range(1000)]
    checked, sent = Checked("web1"), body(*many)
    begun = time.process_time()
    checked.check(sent)
    first = time.process_time() - begun
    begun = time.process_time()
    for _ in range(10):
        assert checked.check(sent) == 1000
    again = (time.process_time() - begun) / 10
    print(f"\n1000 series: {first * 1000:.1f} ms the first time, {again * 1000:.2f} ms after")
    assert again < first / 2
