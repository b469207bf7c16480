"""The edge's TLS, as a client that offers only one thing at a time meets it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.unit.products.haproxy import scene

pytestmark = pytest.mark.skipif(not scene.has("haproxy", "openssl"), reason="needs haproxy and openssl")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[scene.Edge]:
    root = tmp_path_factory.mktemp("tls")
    with scene.edge(scene.context(ports=scene.moved_ports()), root) as running:
        yield running


def offer(edge: scene.Edge, *options: str) -> subprocess.CompletedProcess[str]:
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.https}", "-servername", scene.DOMAIN]
    trust = ["-CAfile", str(edge.root / "ca.pem"), "-verify_return_error", "-verify_hostname", scene.DOMAIN]
    return subprocess.run([*argv, *trust, *options], input="", capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "options",
    [
        ("-tls1_3",),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ("-tls1_3", "-groups", "X25519"),
    ],
)
def test_modern_offers_are_taken(edge: scene.Edge, options: tuple[str, ...]) -> None:
    taken = offer(edge, *options)
    assert taken.returncode == 0, taken.stderr
    assert "Verify return code: 0 (ok)" in taken.stdout


@pytest.mark.parametrize(
    "options",
    [
        ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"),
        ("-tls1_2", "-cipher", "AES128-GCM-SHA256"),
        ("-tls1_3", "-groups", "P-521"),
    ],
)
def test_old_offers_are_refused(edge: scene.Edge, options: tuple[str, ...]) -> None:
    refused = offer(edge, *options)
    assert refused.returncode != 0
    assert "alert" in refused.stderr, refused.stderr


def test_no_tickets(edge: scene.Edge) -> None:
    session = offer(edge, "-tls1_2").stdout
    assert "Session-ID:" in session
    assert "TLS session ticket:" not in session


def test_the_client_chooses_the_cipher(edge: scene.Edge) -> None:
    for cipher in ("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-GCM-SHA384"):
        others = "ECDHE-ECDSA-AES128-GCM-SHA256"
        assert f"Cipher is {cipher}" in offer(edge, "-tls1_2", "-cipher", f"{cipher}:{others}").stdout
