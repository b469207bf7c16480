"""The real `openssl` as judge of our certificates."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bastide.policy.materials import KeyPair

_END = "-----END CERTIFICATE-----\n"


def verify(pair: KeyPair, anchor: Path, scratch: Path, *arguments: str) -> str:
    """Verify the leaf by the chain it carries and the anchor alone; "" when it holds, else what openssl says."""
    leaf, _, rest = pair.certificate_pem.partition(_END)
    (scratch / "leaf.pem").write_text(leaf + _END)
    (scratch / "rest.pem").write_text(rest)
    run = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", str(anchor),
         "-untrusted", str(scratch / "rest.pem"), *arguments, str(scratch / "leaf.pem")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0 or run.stderr, "openssl failed without a reason"
    return "" if run.returncode == 0 else run.stderr


def text(pair: KeyPair) -> str:
    """The leaf as openssl prints it."""
    return subprocess.run(
        ["openssl", "x509", "-noout", "-text", "-nameopt", "RFC2253"],
        input=pair.certificate_pem, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def subject(pair: KeyPair) -> str:
    """The leaf's whole subject."""
    return subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253"],
        input=pair.certificate_pem, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
