"""A TLS server's settings with a throw-away certificate."""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime

from bastide.pki.certificates import Issuer, LeafNames, certificate_pem, issue_leaf, issue_root, key_pem, new_key


def server_context(ciphers: str) -> ssl.SSLContext:
    """TLS 1.2 with these suites."""
    now, key = datetime.now(UTC), new_key()
    root = Issuer(certificate=issue_root(key, "test", now), key=key)
    leaf, leaf_key = issue_leaf(root, LeafNames(common_name="shop.test", dns=("shop.test",)), now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(certificate_pem(leaf) + key_pem(leaf_key))
        file.flush()
        context.load_cert_chain(file.name)
    return context
