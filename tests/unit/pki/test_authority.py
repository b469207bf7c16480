"""The authority on disk: made once, repaired, renewed; judged by openssl where it can be."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import textwrap
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from bastide.pki.authority import Authority, open_authority
from bastide.pki.certificates import LeafNames, certificate_pem, issue_leaf, key_pem, new_key
from bastide.pki.errors import PkiError, RootKeyNeeded
from bastide.pki.leaves import ensure_edge, ensure_identities
from bastide.policy.identities import Identity
from bastide.policy.materials import KeyPair
from tests.unit.pki import openssl
from tests.unit.pki.conftest import DOMAINS, INTERNAL, Open

WEB = Identity(role="web", host="web1")


def _tree(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def _leaf(authority: Authority, now: datetime, *names: str, uri: str | None = None) -> KeyPair:
    """A leaf signed behind the back of every check of ours."""
    leaf, key = issue_leaf(authority.intermediate, LeafNames(common_name="x", dns=names, uri=uri), now)
    return KeyPair(certificate_pem=certificate_pem(leaf) + authority.intermediate_pem, key_pem=key_pem(key))


def test_second_run_changes_nothing(open_shop: Open, directory: Path, now: datetime) -> None:
    ensure_edge(open_shop(), DOMAINS, now)
    first = _tree(directory)
    ensure_edge(open_shop(), DOMAINS, now)
    assert _tree(directory) == first
    assert "root/root.key" in first


def test_nobody_else_can_read(open_shop: Open, directory: Path, now: datetime) -> None:
    before = os.umask(0)
    try:
        authority = open_shop()
        ensure_identities(authority, [WEB], INTERNAL, now)
    finally:
        os.umask(before)
    modes = {str(p.relative_to(directory)): stat.S_IMODE(p.stat().st_mode) for p in directory.rglob("*")}
    assert modes.pop("ca.pem") == 0o644
    assert stat.S_IMODE(directory.stat().st_mode) == stat.S_IMODE(directory.parent.stat().st_mode) == 0o700
    assert all(mode == (0o700 if (directory / path).is_dir() else 0o600) for path, mode in modes.items()), modes


def test_a_careless_restore_is_closed_again(open_shop: Open, directory: Path) -> None:
    open_shop()
    directory.chmod(0o755)
    (directory / "intermediate/intermediate.pem").chmod(0o644)
    open_shop()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "intermediate/intermediate.pem").stat().st_mode) == 0o600


def test_a_hardened_umask_leaves_the_anchor_readable(open_shop: Open) -> None:
    before = os.umask(0o077)
    try:
        authority = open_shop()
    finally:
        os.umask(before)
    assert stat.S_IMODE(authority.trust_anchor_path.stat().st_mode) == 0o644
    assert authority.trust_anchor_path.read_text() == authority.trust_anchor_pem


def test_openssl_accepts_what_is_permitted(open_shop: Open, tmp_path: Path, now: datetime) -> None:
    authority = open_shop()
    pair = _leaf(authority, now, "web.web1.shop.internal", uri="spiffe://shop.internal/web/web1")
    assert openssl.verify(pair, authority.trust_anchor_path, tmp_path) == ""
    assert openssl.verify(_leaf(authority, now, "api.shop.example"), authority.trust_anchor_path, tmp_path) == ""


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("bank.example", None),
        ("notshop.example", None),
        ("shop.internal.evil.example", None),
        ("web.shop.internal", "spiffe://bank.internal/web/web1"),
        ("web.shop.internal", "spiffe://shop.internal.evil.example/web/web1"),
    ],
)
def test_openssl_refuses_names_off_the_domains(
    open_shop: Open, tmp_path: Path, now: datetime, name: str, uri: str | None
) -> None:
    authority = open_shop()
    pair = _leaf(authority, now, name, uri=uri)
    assert "permitted subtree violation" in openssl.verify(pair, authority.trust_anchor_path, tmp_path)


@pytest.mark.parametrize(
    ("address", "known", "violation"),
    [
        ("192.0.2.1", (), "excluded"),
        ("2001:db8::1", (), "excluded"),
        ("192.0.2.1", ("192.0.2.2",), "permitted"),
        ("2001:db8::1", ("192.0.2.2",), "permitted"),
        ("2001:db8::1", ("192.0.2.2", "2001:db8::2"), "permitted"),
    ],
)
def test_openssl_refuses_addresses_that_are_not_a_monitors(
    open_shop: Open, tmp_path: Path, now: datetime, address: str, known: tuple[str, ...], violation: str
) -> None:
    authority = open_shop(addresses=tuple(map(ip_address, known)))
    key, issuer = new_key(), authority.intermediate
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(issuer.key, SHA256())
    )
    pair = KeyPair(certificate_pem=certificate_pem(leaf) + authority.intermediate_pem, key_pem=key_pem(key))
    assert f"{violation} subtree violation" in openssl.verify(pair, authority.trust_anchor_path, tmp_path)


def test_intermediate_is_as_designed(open_shop: Open) -> None:
    extensions = open_shop().intermediate.certificate.extensions
    constraints = extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [
        x509.DNSName(INTERNAL),
        *(x509.DNSName(d) for d in DOMAINS),
        x509.UniformResourceIdentifier(INTERNAL),
    ]
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_everything_goes_on_without_the_root_key(open_shop: Open, directory: Path, now: datetime) -> None:
    open_shop()
    (directory / "root/root.key").unlink()
    for months in (0, 2, 12, 50):
        at = now + timedelta(days=30 * months)
        assert ensure_identities(open_shop(at=at), [WEB], INTERNAL, at)
        assert ensure_edge(open_shop(at=at, domains=("api.shop.example",)), ("api.shop.example",), at)


def test_new_domain_needs_the_root_key(open_shop: Open, directory: Path, tmp_path: Path, now: datetime) -> None:
    old = ensure_identities(open_shop(), [WEB], INTERNAL, now)[WEB]
    key = directory / "root/root.key"
    key.rename(tmp_path / "usb-stick")
    domains = (*DOMAINS, "shop.test")
    before = _tree(directory)
    with pytest.raises(RootKeyNeeded, match=r"may not vouch for .*shop\.test.* is not there") as caught:
        open_shop(domains=domains)
    assert str(key) in caught.value.hint
    assert _tree(directory) == before
    (tmp_path / "usb-stick").rename(key)
    authority = open_shop(domains=domains)
    key.unlink()
    assert open_shop(domains=domains).intermediate_pem == authority.intermediate_pem
    pair = ensure_edge(authority, domains, now)
    assert openssl.verify(pair, authority.trust_anchor_path, tmp_path, "-verify_hostname", "shop.test") == ""
    new = ensure_identities(authority, [WEB], INTERNAL, now)[WEB]
    assert new.certificate_pem != old.certificate_pem
    assert new.certificate_pem.endswith(authority.intermediate_pem)
    assert openssl.verify(old, authority.trust_anchor_path, tmp_path) == "", "hosts not yet applied go on working"


def test_another_root_key_is_refused(open_shop: Open, directory: Path) -> None:
    open_shop()
    (directory / "root/root.key").write_text(key_pem(new_key()))
    assert open_shop()
    with pytest.raises(RootKeyNeeded, match=r"is not the key of root\.pem"):
        open_shop(domains=("shop.test",))


def test_intermediate_is_renewed_in_time(open_shop: Open, directory: Path, now: datetime) -> None:
    first = open_shop().intermediate_pem
    assert open_shop(at=now + timedelta(days=1826 - 370)).intermediate_pem == first
    late = now + timedelta(days=1826 - 360)
    key = (directory / "root/root.key").read_text()
    (directory / "root/root.key").unlink()
    assert open_shop(at=late).intermediate_pem == first, "not forced yet"
    with pytest.raises(RootKeyNeeded, match="expires on"):
        open_shop(at=now + timedelta(days=1826 - 90))
    with pytest.raises(RootKeyNeeded, match="is not valid on"):
        open_shop(at=now + timedelta(days=1827))
    (directory / "root/root.key").write_text(key)
    second = open_shop(at=late).intermediate_pem
    assert second != first
    assert open_shop(at=late).intermediate_pem == second


def test_the_roots_own_end(open_shop: Open, now: datetime) -> None:
    open_shop()
    open_shop(at=now + timedelta(days=1800))
    end = open_shop(at=now + timedelta(days=3640))
    assert end.intermediate.certificate.not_valid_after_utc <= end.root.not_valid_after_utc
    again = open_shop(at=now + timedelta(days=3645))
    assert again.intermediate_pem == end.intermediate_pem, "no renewal that gains nothing"
    with pytest.raises(PkiError, match="the project's root is valid from"):
        open_shop(at=now + timedelta(days=3654))
    with pytest.raises(PkiError, match="clock"):
        open_shop(at=now - timedelta(days=1))


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "noise"])
@pytest.mark.parametrize("path", ["root/root.pem", "ca.pem", "intermediate/intermediate.pem"])
def test_damage_is_repaired(
    open_shop: Open, directory: Path, tmp_path: Path, now: datetime, path: str, damage: str
) -> None:
    first = open_shop()
    _harm(directory / path, damage)
    second = open_shop()
    assert second.root == first.root
    assert second.trust_anchor_path.read_text() == first.trust_anchor_pem
    assert (directory / "root/root.pem").read_text() == first.trust_anchor_pem
    pair = ensure_identities(second, [WEB], INTERNAL, now)[WEB]
    assert openssl.verify(pair, second.trust_anchor_path, tmp_path) == ""


def test_damaged_root_key_is_reported_when_it_is_needed(open_shop: Open, directory: Path) -> None:
    open_shop()
    _harm(directory / "root/root.key", "cut")
    open_shop()
    _harm(directory / "intermediate/intermediate.pem", "cut")
    with pytest.raises(RootKeyNeeded, match="no usable intermediate"):
        open_shop()


def test_a_lost_root_is_reported_not_replaced(open_shop: Open, directory: Path) -> None:
    open_shop()
    _harm(directory / "root/root.pem", "noise")
    _harm(directory / "ca.pem", "empty")
    before = _tree(directory)
    with pytest.raises(PkiError, match="root certificate is lost") as caught:
        open_shop()
    assert "backup" in caught.value.hint
    assert _tree(directory) == before


def _harm(path: Path, damage: str) -> None:
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "noise": b"\xff\x00" * 99}[damage])


def test_unwritable_directory_is_an_error_with_a_hint(tmp_path: Path, open_shop: Open) -> None:
    (tmp_path / "state").write_text("a file where the directory should be")
    with pytest.raises(PkiError, match="cannot make") as caught:
        open_shop()
    assert caught.value.hint


CREATE = textwrap.dedent("""
    import sys
    from datetime import datetime, UTC
    from pathlib import Path
    from bastide.pki.authority import open_authority
    print(flush=True)
    sys.stdin.readline()
    a = open_authority(Path(sys.argv[1]), project="shop", internal_domain="shop.internal",
                       domains=("shop.example",), now=datetime.now(UTC))
    print(a.trust_anchor_pem, flush=True)
""")


def _creator(directory: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", CREATE, str(directory)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "\n"
    return child


def test_processes_that_start_together_make_one_root(directory: Path) -> None:
    children = [_creator(directory) for _ in range(4)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    roots = {child.communicate(timeout=60)[0] for child in children}
    assert len(roots) == 1
    assert "BEGIN CERTIFICATE" in roots.pop()


def test_killed_creation_is_finished_by_the_next_run(tmp_path: Path, now: datetime) -> None:
    outcomes = set()
    # A creation takes about 7 ms; every stage is also resumed for certain in the test below.
    for attempt, delay in enumerate((*(n / 1000 for n in range(11)), 60)):
        directory = tmp_path / str(attempt) / "pki"
        child = _creator(directory)
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(delay)
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=60)
        outcomes.add(frozenset(_tree(directory)) if directory.exists() else frozenset())
        opened = [
            open_authority(directory, project="shop", internal_domain=INTERNAL, domains=("shop.example",), now=now)
            for _ in range(2)
        ]
        assert opened[0].trust_anchor_pem == opened[1].trust_anchor_pem
        pair = ensure_identities(opened[1], [WEB], INTERNAL, now)[WEB]
        assert openssl.verify(pair, opened[1].trust_anchor_path, tmp_path) == ""
        assert not [path for path in _tree(directory) if ".new" in path]
    assert len(outcomes) > 1, "the kills all came at the same stage"


STAGES = ["root/root.key", "root/root.pem", "ca.pem", "intermediate/intermediate.pem"]


@pytest.mark.parametrize("reached", range(len(STAGES)))
def test_every_stage_of_a_creation_can_be_resumed(
    open_shop: Open, directory: Path, tmp_path: Path, now: datetime, reached: int
) -> None:
    complete = open_shop()
    for path in STAGES[reached:]:
        (directory / path).unlink()
    if reached < 3:
        (directory / "intermediate").rmdir()
    (directory / f"{STAGES[reached]}").parent.mkdir(exist_ok=True)
    (directory / STAGES[reached]).with_name(f".{Path(STAGES[reached]).name}.new").write_text("half")
    resumed = open_shop()
    assert (resumed.root == complete.root) == (reached >= 2)
    pair = ensure_identities(resumed, [WEB], INTERNAL, now)[WEB]
    assert openssl.verify(pair, resumed.trust_anchor_path, tmp_path) == ""
    assert not [path for path in _tree(directory) if ".new" in path]
