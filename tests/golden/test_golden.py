"""Golden host trees: what the compiler makes of the presets and corner layouts, file by file.

`make golden` writes them anew; the diff is then read by a person. The real checkers judge each tree, in a private
view of this machine in which the tree is in place (as a host does before it switches).
"""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from bastide.bundle.compile import compile_bundles
from bastide.bundle.model import HostBundle
from bastide.host.check import run_check
from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment
from bastide.products.registry import render_host
from bastide.spec.model import Spec
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD, make_spec

HERE = Path(__file__).parent
WRITE = os.environ.get("BASTIDE_WRITE_GOLDEN") == "1"
STATIC: Mapping[str, Sequence[str]] = {"lb1": ["balancer"], "web1": ["web"]}
FAILOVER: Mapping[str, Sequence[str]] = {
    "all1": ["balancer", "web", "app"],
    "db1": ["database"],
    "db2": ["database"],
    "wit1": ["witness"],
}
SPECS: dict[str, Spec] = {
    "resilient": make_spec(
        RESILIENT,
        web={"static": {"/static/": "./static"}},
    ),
    "whiteboard": make_spec(WHITEBOARD, tls={"inside": "plain"}),
    "one-host-php": make_spec(EVERYTHING_ON_ONE, app={"kind": "php", "entry": "public/index.php"}),
    "failover": make_spec(FAILOVER, database={"name": "shop", "failover": "automatic"}),
    "static": make_spec(STATIC, app={"kind": "static", "path": "./site"}),
}


@functools.cache
def bundles(name: str) -> dict[str, HostBundle]:
    """Compiled once for all that look at them."""
    return compile_anew(name)


def compile_anew(name: str) -> dict[str, HostBundle]:
    spec = SPECS[name]
    topology = resolve_topology(spec)
    return compile_bundles(spec, topology, fake_materials(spec, topology))


def tree_of(bundle: HostBundle) -> Iterator[tuple[str, bytes]]:
    """Paths and contents of a host, with the parts that are no files as one JSON file."""
    rest = {key: value for key, value in bundle.manifest.items() if key not in ("files", "format")}
    modes = {f["path"]: f"{f['mode']:04o} {f['owner']}:{f['group']}" for f in bundle.manifest["files"]}
    yield "bundle.json", (json.dumps({"modes": modes, **rest}, indent=1, sort_keys=True) + "\n").encode()
    for file in bundle.files:
        # A program of ours is no configuration: its source is reviewed where it stands.
        if not file.path.endswith(".pyz"):
            yield file.path.lstrip("/"), file.content


@pytest.mark.parametrize("name", SPECS)
def test_every_host_is_what_it_was(name: str) -> None:
    folder = HERE / name
    if WRITE:
        shutil.rmtree(folder, ignore_errors=True)
    wanted = {
        f"{host}/{path}": content for host, bundle in bundles(name).items() for path, content in tree_of(bundle)
    }
    if WRITE:
        for path, content in wanted.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert sorted(found) == sorted(wanted), "files came or went: make golden, and read the diff"
    changed = [path for path in wanted if found[path] != wanted[path]]
    assert not changed, f"changed: {changed}: make golden, and read the diff"


def test_compiling_twice_gives_the_same_bytes() -> None:
    digests = [{host: b.digest for host, b in compile_anew("resilient").items()} for _ in range(2)]
    assert digests[0] == digests[1]


def host_cases() -> list[tuple[str, str]]:
    return [(name, host) for name, spec in SPECS.items() for host in spec.hosts]


@pytest.mark.parametrize(("name", "host"), host_cases())
def test_the_real_checkers_accept_every_tree(name: str, host: str, tmp_path: Path) -> None:
    bundle = bundles(name)[host]
    write_tree(bundle, tmp_path)
    for check in bundle.checks:
        done = run_check(manifest_check(bundle, check.name), tmp_path)
        assert done.status == 0 and not (check.quiet and done.output.strip()), f"{check.name}: {done.output}"


@pytest.mark.parametrize(
    ("host", "path", "broken"),
    [
        ("lb1", "etc/bastide/haproxy/haproxy.cfg", b"\nfrontend broken\n  no-such-keyword\n"),
        ("web1", "etc/bastide/nginx/nginx.conf", b"\nno_such_directive;\n"),
        ("app1", "etc/bastide/sqlproxy/haproxy.cfg", b"\nno-such-section\n"),
        ("db1", "etc/bastide/mariadb/mariadb.cnf", b"\n[mariadbd]\nno-such-option=1\n"),
        ("db1", "etc/bastide/nftables/ruleset.nft", b"\nnonsense\n"),
        ("monitor1", "etc/ssh/sshd_config.d/00-bastide.conf", b"\nNoSuchKeyword yes\n"),
    ],
)
def test_the_real_checkers_refuse_a_broken_file(host: str, path: str, broken: bytes, tmp_path: Path) -> None:
    """Negative controls: each checker really reads the staged file."""
    bundle = bundles("resilient")[host]
    write_tree(bundle, tmp_path)
    file = tmp_path / path
    file.write_bytes(file.read_bytes() + broken)
    results = [run_check(manifest_check(bundle, check.name), tmp_path) for check in bundle.checks]
    assert any(done.status != 0 for done in results)


def write_tree(bundle: HostBundle, folder: Path) -> None:
    # Not one of a lab's: those come and go beside this test.
    names = sorted(p.name for p in Path("/sys/class/net").iterdir() if not p.name.startswith(("lo", "bst")))
    interface = names[0].encode()
    for file in bundle.files:
        target = folder / file.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        # keepalived's checker wants an interface that this machine has.
        target.write_bytes(file.content.replace(b"pub0", interface) if "keepalived" in file.path else file.content)
        target.chmod(file.mode | 0o044)


def manifest_check(bundle: HostBundle, name: str):  # type: ignore[no-untyped-def]
    return next(c for c in bundle.manifest["checks"] if c["name"] == name)


@pytest.mark.parametrize(("name", "host"), host_cases())
def test_a_product_names_files_of_its_own_alone(name: str, host: str) -> None:
    """A check whose product's files are the same is not asked again, so its files must not read those of others."""
    spec = SPECS[name]
    topology = resolve_topology(spec)
    context = HostContext(
        spec=spec, topology=topology, materials=fake_materials(spec, topology), host=topology.hosts[host]
    )
    foreign = foreign_reads(render_host(context))
    assert not foreign


def test_a_file_of_another_product_would_be_found() -> None:
    """Negative control."""
    nft, ssh = (
        File(path="/etc/bastide/nftables/x", content=b""),
        File(path="/etc/y", content=b"/etc/bastide/nftables/x"),
    )
    check = Check(name="sshd", argv=("sshd", "-t"))
    found = foreign_reads(
        [Fragment(product="nftables", files=(nft,)), Fragment(product="sshd", files=(ssh,), checks=(check,))]
    )
    assert found == {("sshd", "/etc/bastide/nftables/x")}


def foreign_reads(fragments: Iterable[Fragment]) -> set[tuple[str, str]]:
    parts = list(fragments)
    found = set()
    for part in parts:
        asked = [c for c in part.checks if not c.looks_around]
        own = {f.path for f in part.files}
        texts = [*(f.content for f in part.files), *(" ".join(c.argv).encode() for c in asked)]
        for other in (f.path for o in parts for f in o.files):
            # A program of ours is started by units, and read by no checker.
            if (
                asked
                and other not in own
                and not other.endswith(".pyz")
                and any(other.encode() in text for text in texts)
            ):
                found.add((part.product, other))
    return found
