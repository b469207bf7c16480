"""Fragments merge into one bundle, or the conflict is named."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from bastide.bundle.assemble import BundleConflict, assemble_bundle
from bastide.host.manifest import manifest_digest, validate_manifest
from bastide.products.fragment import Archive, Check, Directory, File, Fragment, Unit, User

NGINX = Fragment(
    product="nginx",
    packages=("nginx", "openssl"),
    users=(User(name="www", groups=("b", "a")),),
    files=(File(path="/etc/bastide/nginx/nginx.conf", content=b"x"),),
    units=(Unit(name="nginx.service", reload_on=("/etc/bastide/nginx",)),),
    sysctls={"net.core.somaxconn": "4096"},
)
APP = Fragment(
    product="app",
    packages=("openssl", "gunicorn"),
    users=(User(name="www", groups=("c",)),),
    files=(File(path="/etc/bastide/app/env", content=b"K=v", mode=0o640, secret=True),),
    units=(Unit(name="app.service"), Unit(name="nginx.service", restart_on=("/etc/bastide/app",))),
)


def test_fragments_are_merged_and_sorted() -> None:
    bundle = assemble_bundle("web1", [NGINX, APP])
    assert bundle.packages == ("gunicorn", "nginx", "openssl")
    assert bundle.users == (User(name="www", groups=("a", "b", "c")),)
    assert [f.path for f in bundle.files] == ["/etc/bastide/app/env", "/etc/bastide/nginx/nginx.conf"]
    assert [u.name for u in bundle.units] == ["nginx.service", "app.service"], "units keep their order"
    assert bundle.units[0].restart_on == ("/etc/bastide/app",)
    assert bundle.units[0].reload_on == ("/etc/bastide/nginx",)


def test_same_fragments_same_digest_and_the_host_computes_it_too() -> None:
    one, other = assemble_bundle("web1", [NGINX, APP]), assemble_bundle("web1", [NGINX, APP])
    assert one.digest == other.digest == manifest_digest(one.manifest)  # type: ignore[arg-type]
    validate_manifest(one.manifest, one.digest)  # type: ignore[arg-type]
    assert assemble_bundle("web2", [NGINX, APP]).digest != one.digest


def test_same_file_twice_is_one_file() -> None:
    assert len(assemble_bundle("web1", [NGINX, replace(NGINX, product="twin")]).files) == 1


def test_content_does_not_show_in_the_manifest_nor_in_repr() -> None:
    bundle = assemble_bundle("web1", [replace(APP, files=(replace(APP.files[0], content=b"canary-77"),))])
    assert "canary-77" not in repr(bundle)
    assert "canary-77" not in str(bundle.manifest)


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        (Fragment(product="x", files=(replace(NGINX.files[0], content=b"y"),)), "differently"),
        (Fragment(product="x", files=(replace(NGINX.files[0], mode=0o600),)), "differently"),
        (Fragment(product="x", files=(File(path="/etc/s", content=b"", mode=0o644, secret=True),)), "secret"),
        (Fragment(product="x", files=(File(path="/etc/s", content=b"", mode=0o666),)), "written by others"),
        (Fragment(product="x", files=(File(path="etc/s", content=b""),)), "absolute"),
        (Fragment(product="x", files=(File(path="/etc/../s", content=b""),)), "absolute"),
        (Fragment(product="x", files=(File(path="/etc/s\n", content=b""),)), "control character"),
        (Fragment(product="x", files=(File(path="/etc/bastide/nginx/nginx.conf/x", content=b""),)), "lies below"),
        (Fragment(product="x", directories=(Directory(path="/etc/bastide/x"),)), "switched tree"),
        (Fragment(product="x", directories=(Directory(path="/srv/a/"),)), "absolute"),
        (Fragment(product="x", units=(Unit(name="nginx.service", kind="timer"),)), "both a service and a timer"),
        (Fragment(product="x", units=(Unit(name="y.service", stops_before=("nginx.service",)),)), "masked"),
        (Fragment(product="x", sysctls={"net.core.somaxconn": "1"}), "4096 and 1"),
        (
            Fragment(
                product="x",
                archives=(Archive(path="/srv/a", digest="d", size=1),),
                files=(File(path="/srv/a/b", content=b""),),
            ),
            "lies below",
        ),
    ],
)
def test_conflicts_are_named(fragment: Fragment, said: str) -> None:
    with pytest.raises(BundleConflict, match=said) as conflict:
        assemble_bundle("web1", [NGINX, fragment])
    assert str(conflict.value).startswith("web1: ")


def test_thousand_hosts_in_a_few_seconds() -> None:
    files = tuple(File(path=f"/etc/bastide/p/{i}.conf", content=b"x" * 2000) for i in range(40))
    checks = tuple(Check(name=str(i), argv=("true",)) for i in range(5))
    fragment = Fragment(product="many", files=files, checks=checks)
    began = time.process_time()
    digests = {assemble_bundle(f"h{i}", [NGINX, APP, fragment]).digest for i in range(1000)}
    assert len(digests) == 1000
    assert time.process_time() - began < 30, "measured: 0.7 s"
