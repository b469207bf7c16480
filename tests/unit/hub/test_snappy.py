"""Every kind of piece that the format knows, against a model of it that is as plain as can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastide.hub.snappy import unpack_snappy

MOST = 1 << 20
pieces = st.lists(
    st.one_of(
        st.tuples(st.just("literal"), st.binary(min_size=1, max_size=400), st.integers(0, 4)),
        st.tuples(st.just("copy1"), st.integers(4, 11), st.integers(1, 2047)),
        st.tuples(st.just("copy2"), st.integers(1, 64), st.integers(1, 65535)),
        st.tuples(st.just("copy4"), st.integers(1, 64), st.integers(1, 100_000)),
    ),
    max_size=40,
)


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def literal(content: bytes, extra: int = 0) -> bytes:
    size = len(content) - 1
    extra = max(extra, 0 if size < 60 else (size.bit_length() + 7) // 8)
    return (bytes([(59 + extra) << 2]) + size.to_bytes(extra, "little") if extra else bytes([size << 2])) + content


def copy(kind: str, length: int, offset: int) -> bytes:
    if kind == "copy1":
        return bytes([(offset >> 8) << 5 | (length - 4) << 2 | 1, offset & 255])
    return bytes([(length - 1) << 2 | (2 if kind == "copy2" else 3)]) + offset.to_bytes(
        2 if kind == "copy2" else 4, "little"
    )


@given(pieces)
def test_all_pieces_in_any_order(story: list[tuple[str, bytes | int, int]]) -> None:
    packed, plain = b"", bytearray()
    for kind, first, second in story:
        if isinstance(first, bytes):
            packed += literal(first, second)
            plain += first
        elif second <= len(plain):
            packed += copy(kind, first, second)
            for _ in range(first):
                plain.append(plain[-second])
    assert unpack_snappy(varint(len(plain)) + packed, most=MOST) == plain


@given(st.binary(max_size=200))
def test_nothing_else_is_more_than_refused(packed: bytes) -> None:
    try:
        assert len(unpack_snappy(packed, most=1000)) <= 1000
    except ValueError:
        return


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x80",
        varint(2**40),
        varint(MOST + 1),
        varint(4) + literal(b"abc"),
        varint(2) + literal(b"abc"),
        varint(5) + literal(b"abcde")[:-1],
        varint(8) + literal(b"abcd") + copy("copy1", 4, 5),
        varint(8) + literal(b"abcd") + copy("copy2", 4, 0),
        varint(8) + literal(b"abcd") + copy("copy4", 4, 4)[:-1],
    ],
)
def test_what_is_wrong_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        unpack_snappy(packed, most=MOST)
