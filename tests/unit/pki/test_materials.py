"""Everything in one go, and the fixed materials that compiled trees are made from."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bastide.pki.certificates import belongs, parse_certificates, parse_key
from bastide.pki.errors import PkiError, SecretsMissing
from bastide.pki.materials import gather_materials
from bastide.policy.identities import derive_identities
from bastide.policy.materials import Materials, Release
from bastide.policy.secrets import derive_secrets
from bastide.spec.model import Spec
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import FAKE_PAIR, FIXTURES, fake_materials
from tests.unit.pki import openssl

CANARY = "canary-7Gq2"


def _spec(**sections: Any) -> Spec:
    plain: dict[str, Any] = {
        "name": "shop",
        "domains": ["shop.example"],
        "hosts": {
            "lb1": {"roles": ["balancer"], "address": "10.0.0.1"},
            "node1": {"roles": ["web", "app", "database"], "address": "10.0.0.2"},
        },
        "app": {"kind": "wsgi", "entry": "shop:app", "secrets": {"KEY": {"env": "SHOP_KEY"}}},
        "database": {},
    }
    return Spec.model_validate(plain | sections)


def _gather(spec: Spec, folder: Path, now: datetime, **environ: str) -> Materials:
    return gather_materials(
        spec,
        resolve_topology(spec),
        state=folder / ".bastide/lab",
        base=folder,
        environ=environ,
        now=now,
        releases={"app": Release(name="app", digest="a" * 64, size=1)},
    )


def test_everything_is_gathered_twice_the_same(tmp_path: Path, now: datetime) -> None:
    (tmp_path / "sorry.html").write_text("<p>Back soon</p>")
    spec = _spec(balancer={"maintenance_page": "sorry.html"})
    first = _gather(spec, tmp_path, now, SHOP_KEY=CANARY)
    again = _gather(spec, tmp_path, now, SHOP_KEY=CANARY)
    assert (first.identities, first.edge, dict(first.secrets)) == (
        again.identities,
        again.edge,
        dict(again.secrets),
    )
    assert set(first.identities) == set(derive_identities(resolve_topology(spec)))
    assert len(first.identities) == 4
    assert first.secrets["app.KEY"] == CANARY
    assert first.texts == {"balancer.maintenance_page": "<p>Back soon</p>"}
    assert set(first.releases) == {"app"}
    anchor = tmp_path / ".bastide/lab/pki/ca.pem"
    assert anchor.read_text() == first.trust_anchor_pem
    for pair in (*first.identities.values(), first.edge):
        assert openssl.verify(pair, anchor, tmp_path) == ""


def test_nothing_secret_is_in_a_repr(tmp_path: Path, now: datetime) -> None:
    materials = _gather(_spec(), tmp_path, now, SHOP_KEY=CANARY)
    assert materials.secrets["database.password"] not in repr(materials)
    assert CANARY not in repr(materials)
    assert "PRIVATE" not in repr(materials)


def test_a_missing_secret_is_told_before_anything_is_issued(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(SecretsMissing, match=r"app\.KEY"):
        _gather(_spec(), tmp_path, now)
    assert not (tmp_path / ".bastide/lab/pki").exists()


def test_missing_page(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(PkiError, match=r"cannot read .*sorry\.html"):
        _gather(_spec(balancer={"maintenance_page": "sorry.html"}), tmp_path, now, SHOP_KEY=CANARY)


def test_the_users_own_certificate(tmp_path: Path, now: datetime) -> None:
    own = _gather(_spec(), tmp_path, now, SHOP_KEY=CANARY).edge
    (tmp_path / "own.pem").write_text(own.certificate_pem)
    (tmp_path / "own.key").write_text(own.key_pem)
    (tmp_path / "own.key").chmod(0o600)
    tls = {"edge": {"certificate": "own.pem", "key": "own.key"}}
    assert _gather(_spec(tls=tls), tmp_path, now, SHOP_KEY=CANARY).edge == own
    with pytest.raises(PkiError, match=r"is not for other\.example"):
        _gather(_spec(tls=tls, domains=["other.example"]), tmp_path, now, SHOP_KEY=CANARY)


def test_which_secrets_are_wanted() -> None:
    wanted = derive_secrets(_spec())
    assert list(wanted) == [
        "app.KEY",
        "database.password",
        "database.replication",
        "keepalived.auth",
    ]
    assert wanted["database.password"].generate == 32 and wanted["keepalived.auth"].generate == 16
    bare = _spec(database=None, app={"kind": "static"}, balancer={"virtual_ip": "none"})
    assert derive_secrets(bare) == {}
    own = _spec(database={"password": {"file": "db.txt"}}, balancer={"virtual_ip": "10.0.0.9"})
    assert derive_secrets(own)["database.password"].file == "db.txt"
    assert "keepalived.auth" in derive_secrets(own)


def test_fake_materials_are_fixed_and_real(tmp_path: Path) -> None:
    spec = _spec(web={"static": {"/a/": "./a", "/b/": "./b"}})
    topology = resolve_topology(spec)
    fake = fake_materials(spec, topology)
    assert fake == fake_materials(spec, topology)
    assert set(fake.identities) == set(derive_identities(topology))
    assert set(fake.secrets) == set(derive_secrets(spec))
    assert all(v.startswith("TEST") and v.isalnum() for v in fake.secrets.values())
    assert len(fake.secrets["keepalived.auth"]) == 16
    assert {name: r.digest[0] for name, r in fake.releases.items()} == {
        "app": "a",
        "static-0": "b",
        "static-1": "c",
    }
    assert openssl.verify(FAKE_PAIR, FIXTURES / "root.pem", tmp_path) == ""
    key, chain = parse_key(FAKE_PAIR.key_pem), parse_certificates(FAKE_PAIR.certificate_pem)
    assert key is not None and belongs(key, chain[0])
    assert "TEST ONLY" in openssl.subject(FAKE_PAIR)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FIXTURES / "leaf.pem", FIXTURES / "leaf.key")
