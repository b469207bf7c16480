"""Framing: whole messages or an error, never half of one."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastide.host.wire import CHUNK, WireError, read_message, write_message


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.text().filter(lambda key: key != "body"), st.text() | st.integers()), st.binary()
        )
    )
)
def test_what_is_written_is_read(messages: list[tuple[dict[str, object], bytes]]) -> None:
    stream = io.BytesIO()
    for header, body in messages:
        write_message(stream, header, body)
    stream.seek(0)
    assert [read_message(stream) for _ in messages] == messages
    assert read_message(stream) is None


@pytest.mark.parametrize(
    "sent",
    [
        b"Last login: today\n",
        b"[1]\n",
        b'{"op": "x"',
        b'{"body": -1}\n',
        b'{"body": "9"}\n',
        b'{"body": 99999999999}\n',
        b'{"body": 5}\nabc',
    ],
)
def test_what_is_not_a_message_is_refused(sent: bytes) -> None:
    with pytest.raises(WireError):
        read_message(io.BytesIO(sent))


def test_body_that_is_too_long_is_not_sent() -> None:
    with pytest.raises(WireError, match="too long"):
        write_message(io.BytesIO(), {}, b"x" * (CHUNK + 1))
