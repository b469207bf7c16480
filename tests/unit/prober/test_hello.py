"""A ClientHello by hand, read by a real TLS server; what it answers, read by us."""

from __future__ import annotations

import hashlib
import ssl

import pytest

from bastide.prober.hello import EVERY, GOOD_12, SIGNALS, client_hello, read_answer
from bastide.prober.mysql import scramble
from tests.unit.prober.server import server_context


def answer_of(context: ssl.SSLContext, hello: bytes) -> str:
    """What OpenSSL says to it, without a network."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    wire = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)
    with pytest.raises(ssl.SSLError):
        wire.do_handshake()
    return read_answer(outgoing.read())


def test_a_good_offer_is_taken_and_weak_ones_are_refused_by_a_server_that_is_set_right() -> None:
    context = server_context("ECDHE+AESGCM:ECDHE+CHACHA20")
    assert answer_of(context, client_hello(0x0303, sorted(GOOD_12), "shop.test")).startswith("0303 c0")
    assert answer_of(context, client_hello(0x0303, sorted(EVERY - GOOD_12), "shop.test")).startswith("alert")
    assert answer_of(context, client_hello(0x0302, sorted(EVERY), "shop.test")).startswith("alert")


def test_a_server_that_takes_a_weak_suite_is_seen_to() -> None:
    context = server_context("ECDHE-ECDSA-AES128-SHA256")
    assert answer_of(context, client_hello(0x0303, sorted(EVERY - GOOD_12), "shop.test")) == "0303 c023"


def test_what_is_no_tls_is_not_read_as_a_refusal() -> None:
    assert read_answer(b"") == "closed"
    assert read_answer(b"HTTP/1.1 400 Bad").startswith("not TLS")
    assert not EVERY & SIGNALS and GOOD_12 <= EVERY


def test_a_password_is_scrambled_as_the_protocol_has_it() -> None:
    """As the server checks it: from what was sent, its salt and the stored hash it finds SHA1(password)."""
    salt, password = b"abcdefghijklmnopqrst", "secret"
    stored = hashlib.sha1(hashlib.sha1(password.encode()).digest()).digest()
    mask = hashlib.sha1(salt + stored).digest()

    def opens(sent: bytes) -> bool:
        return hashlib.sha1(bytes(a ^ b for a, b in zip(sent, mask, strict=True))).digest() == stored

    assert opens(scramble(password, salt))
    assert not opens(scramble("other", salt)) and not opens(scramble(password, salt[::-1]))
