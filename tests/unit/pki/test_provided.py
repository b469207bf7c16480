"""The user's own certificate: every way in which the files can be wrong is told, and by which file.

The certificates are made by openssl, so that what we read was not written by us.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bastide.pki.errors import PkiError
from bastide.pki.provided import covers, load_certificate_files
from tests.unit.pki import openssl

DOMAINS = ("shop.example", "www.shop.example")


class Shop:
    """Certificates and keys in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str) -> None:
        """One openssl command in the folder."""
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def authority(self, name: str, issuer: str | None = None) -> None:
        """A CA certificate."""
        self.issue(name, issuer, ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"])

    def leaf(
        self, name: str, issuer: str | None, *, domains: Sequence[str] = DOMAINS, days: str = "30",
        usage: str = "serverAuth", algorithm: Sequence[str] = ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    ) -> None:  # fmt: skip
        """A certificate for domains."""
        names = ",".join(f"DNS:{d}" for d in domains)
        extensions = [f"subjectAltName={names}"] if domains else []
        extensions += [f"extendedKeyUsage={usage}", "basicConstraints=critical,CA:FALSE"]
        self.issue(name, issuer, extensions, days, algorithm)

    def issue(
        self,
        name: str,
        issuer: str | None,
        extensions: Sequence[str],
        days: str = "30",
        algorithm: Sequence[str] = ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    ) -> None:
        """`name.pem` and `name.key` (mode 0600)."""
        self.run("genpkey", "-algorithm", *algorithm, "-out", f"{name}.key")
        signer = [] if issuer is None else ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key"]
        added = [a for e in extensions for a in ("-addext", e)]
        self.run(
            "req", "-x509", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-days", days, *signer, *added,
            "-out", f"{name}.pem",
        )  # fmt: skip
        (self.folder / f"{name}.key").chmod(0o600)

    def chain(self, *names: str) -> Path:
        """One file with these certificates in this order."""
        path = self.folder / "chain.pem"
        path.write_text("".join((self.folder / f"{n}.pem").read_text() for n in names))
        return path

    def key(self, name: str) -> Path:
        """A key's path."""
        return self.folder / f"{name}.key"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A public-looking authority with one intermediate, and a leaf."""
    shop = Shop(tmp_path)
    shop.authority("root")
    shop.authority("middle", "root")
    shop.leaf("leaf", "middle")
    return shop


def _refused(certificate: Path, key: Path, now: datetime, domains: Sequence[str] = DOMAINS) -> PkiError:
    with pytest.raises(PkiError) as caught:
        load_certificate_files(certificate, key, domains=domains, now=now)
    assert caught.value.hint
    assert "PRIVATE KEY-----\nM" not in str(caught.value)
    return caught.value


@pytest.fixture
def soon(now: datetime) -> datetime:
    """A little later than now: openssl's certificates begin at the second in which they are made."""
    return now + timedelta(minutes=1)


@pytest.mark.parametrize("names", [("leaf", "middle"), ("leaf", "middle", "root")])
def test_good_chain_is_taken_without_its_root(
    shop: Shop, tmp_path: Path, soon: datetime, names: tuple[str, ...]
) -> None:
    pair = load_certificate_files(shop.chain(*names), shop.key("leaf"), domains=DOMAINS, now=soon)
    assert pair.certificate_pem.count("BEGIN CERTIFICATE") == 2
    assert openssl.verify(pair, tmp_path / "root.pem", tmp_path, "-purpose", "sslserver") == ""


def test_self_signed_is_taken_as_it_is(shop: Shop, soon: datetime) -> None:
    shop.leaf("own", None, domains=("*.shop.example", "shop.example"))
    pair = load_certificate_files(shop.chain("own"), shop.key("own"), domains=DOMAINS, now=soon)
    assert pair.certificate_pem.count("BEGIN CERTIFICATE") == 1


def test_rsa_is_taken_if_it_is_long_enough(shop: Shop, soon: datetime) -> None:
    shop.leaf("rsa", "middle", algorithm=("RSA", "-pkeyopt", "rsa_keygen_bits:2048"))
    assert load_certificate_files(shop.chain("rsa", "middle"), shop.key("rsa"), domains=DOMAINS, now=soon)
    shop.leaf("short", "middle", algorithm=("RSA", "-pkeyopt", "rsa_keygen_bits:1024"))
    assert "1024 bits" in _refused(shop.chain("short", "middle"), shop.key("short"), soon).message


def test_wrong_key(shop: Shop, soon: datetime) -> None:
    shop.leaf("renewed", "middle")
    error = _refused(shop.chain("leaf", "middle"), shop.key("renewed"), soon)
    assert "renewed.key is not the key of the first certificate in" in error.message


def test_wrong_order(shop: Shop, soon: datetime) -> None:
    assert "wrong order" in _refused(shop.chain("middle", "leaf"), shop.key("leaf"), soon).message


def test_broken_chain(shop: Shop, soon: datetime) -> None:
    shop.authority("stranger")
    error = _refused(shop.chain("leaf", "stranger"), shop.key("leaf"), soon)
    assert "certificate 1 (CN=leaf) was not issued by certificate 2 (CN=stranger)" in error.message
    error = _refused(shop.chain("leaf", "root", "middle"), shop.key("leaf"), soon)
    assert "was not issued by" in error.message


def test_expired(shop: Shop, soon: datetime) -> None:
    chain, key = shop.chain("leaf", "middle"), shop.key("leaf")
    assert load_certificate_files(chain, key, domains=DOMAINS, now=soon + timedelta(days=29))
    error = _refused(chain, key, soon + timedelta(days=31))
    assert "CN=leaf in" in error.message and "expired on" in error.message


def test_expired_intermediate(shop: Shop, soon: datetime) -> None:
    shop.leaf("long", "middle", days="90")
    error = _refused(shop.chain("long", "middle"), shop.key("long"), soon + timedelta(days=60))
    assert "CN=middle in" in error.message and "expired on" in error.message


def test_not_yet_valid(shop: Shop, soon: datetime) -> None:
    error = _refused(shop.chain("leaf", "middle"), shop.key("leaf"), soon - timedelta(days=1))
    assert "is valid only from" in error.message


def test_wrong_names(shop: Shop, soon: datetime) -> None:
    error = _refused(shop.chain("leaf", "middle"), shop.key("leaf"), soon, ("shop.example", "api.shop.example"))
    assert "is not for api.shop.example: its names are shop.example, www.shop.example" in error.message
    shop.leaf("nameless", "middle", domains=())
    error = _refused(shop.chain("nameless", "middle"), shop.key("nameless"), soon, ("nameless.example",))
    assert "its names are none" in error.message


@pytest.mark.parametrize(
    ("names", "domain", "covered"),
    [
        (["*.shop.example"], "www.shop.example", True),
        (["*.Shop.Example"], "www.shop.example", True),
        (["*.shop.example"], "shop.example", False),
        (["*.shop.example"], "a.b.shop.example", False),
        (["www.*.example"], "www.shop.example", False),
        (["shop.example"], "www.shop.example", False),
        ([], "shop.example", False),
    ],
)
def test_wildcards(names: list[str], domain: str, covered: bool) -> None:
    assert covers(names, domain) is covered


def test_not_for_servers(shop: Shop, soon: datetime) -> None:
    shop.leaf("client", "middle", usage="clientAuth")
    assert "not meant for servers" in _refused(shop.chain("client", "middle"), shop.key("client"), soon).message


def test_key_that_everybody_reads(shop: Shop, soon: datetime) -> None:
    shop.key("leaf").chmod(0o644)
    error = _refused(shop.chain("leaf", "middle"), shop.key("leaf"), soon)
    assert error.hint == f"chmod 600 {shop.key('leaf')}"


def test_encrypted_key(shop: Shop, soon: datetime) -> None:
    shop.run("pkey", "-in", "leaf.key", "-aes256", "-passout", "pass:x", "-out", "locked.key")
    shop.key("locked").chmod(0o600)
    assert "is encrypted" in _refused(shop.chain("leaf", "middle"), shop.key("locked"), soon).message


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\x00\xfe", b"-----BEGIN CERTIFICATE-----\nMIIB\n"])
def test_unreadable_files(shop: Shop, tmp_path: Path, soon: datetime, content: bytes) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_bytes(content)
    bad.chmod(0o600)
    assert "no readable PEM certificate" in _refused(bad, shop.key("leaf"), soon).message
    assert "no readable PEM private key" in _refused(shop.chain("leaf", "middle"), bad, soon).message
    assert "cannot read" in _refused(tmp_path / "none.pem", shop.key("leaf"), soon).message
    assert "cannot read" in _refused(shop.chain("leaf"), tmp_path, soon).message
