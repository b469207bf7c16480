"""What nginx is told, judged by nginx itself, for every kind of application and layout."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bastide.products.context import HostContext
from bastide.products.nginx.quoting import quote_path, quote_prefix, quote_string
from bastide.products.nginx.render import render
from bastide.products.nginx.view import derive_view
from bastide.spec.model import Spec
from bastide.topology.resolve import resolve_topology
from tests.unit.products.authority import Authority, issue_materials
from tests.unit.products.machine import Machine
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD, make_spec

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nginx") is None, reason="needs root and nginx")
LAYOUTS: dict[str, tuple[Mapping[str, Sequence[str]], tuple[str, ...]]] = {
    "resilient": (RESILIENT, ("web1", "app2")),
    "whiteboard": (WHITEBOARD, ("server1",)),
    "one": (EVERYTHING_ON_ONE, ("all1",)),
}


def context_of(spec: Spec, host: str) -> HostContext:
    topology = resolve_topology(spec)
    materials = issue_materials(spec, topology, Authority(topology.internal_domain))
    return HostContext(spec=spec, topology=topology, materials=materials, host=topology.hosts[host])


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bc"))
    yield path
    shutil.rmtree(path)


def check(context: HostContext, folder: Path, **replaced: bytes) -> subprocess.CompletedProcess[str]:
    """The fragment's own check; `replaced` are other contents, by the file's name with `_` for `.`."""
    fragment = render(context)
    files = tuple(
        replace(f, content=replaced.get(Path(f.path).name.replace(".", "_"), f.content)) for f in fragment.files
    )
    machine = Machine(folder / "m", [replace(fragment, files=files)])
    try:
        (found,) = fragment.checks
        assert found.network
        return machine.run("unshare", "-n", *found.argv)
    finally:
        machine.stop()


@AS_ROOT
@pytest.mark.parametrize(
    ("kind", "inside"),
    [
        ("wsgi", "mtls"),
        ("wsgi", "plain"),
        ("asgi", "mtls"),
        ("php", "mtls"),
        ("command", "mtls"),
        ("static", "mtls"),
    ],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_nginx_accepts_every_kind_and_layout(layout: str, kind: str, inside: str, folder: Path) -> None:
    roles, hosts = LAYOUTS[layout]
    app = {"kind": kind, "entry": "public/index.php" if kind == "php" else "x:y", "health": "/up?a=$b&c=d;e"}
    static = {"/static/": "./s", "/a b$\"'/": "./t"} | ({} if kind == "static" else {"/": "./u"})
    spec = make_spec(roles, app=app, tls={"inside": inside}, web={"static": static, "gzip": layout == "one"})
    for host in hosts:
        if kind == "static" and "web" not in spec.hosts[host].roles:
            continue
        done = check(context_of(spec, host), folder / host)
        assert (done.returncode, done.stderr) == (0, "")


@AS_ROOT
def test_the_check_refuses_what_nginx_would_not_start_with(folder: Path) -> None:
    context = context_of(make_spec(web={"snippets": {"server": "no_such_directive on;"}}), "web1")
    done = check(context, folder / "a")
    assert done.returncode != 0
    assert 'unknown directive "no_such_directive"' in done.stderr
    done = check(context_of(make_spec(), "web1"), folder / "b", web_key=b"not a key")
    assert done.returncode != 0
    assert "web.key" in done.stderr


def upstreams(layout: Mapping[str, Sequence[str]], host: str) -> tuple[list[tuple[str, bool]], list[str]]:
    web = derive_view(context_of(make_spec(layout), host)).web
    assert web is not None and web.upstream is not None
    return [(s.name, s.backup) for s in web.upstream.servers], [s.name for s in web.upstream.second_tries]


def test_a_web_server_spreads_over_all_application_hosts() -> None:
    assert upstreams(RESILIENT, "web1") == ([("app1", False), ("app2", False)], ["app1", "app2"])
    assert upstreams(RESILIENT, "web2")[1] == ["app2", "app1"], "second tries begin elsewhere"


def test_a_host_with_an_application_of_its_own_prefers_it() -> None:
    assert upstreams(WHITEBOARD, "server2") == ([("server1", True), ("server2", False)], ["server1"])


def test_second_tries_end_on_large_tiers() -> None:
    layout = {"web1": ["web"], **{f"app{i}": ["app"] for i in range(30)}}
    servers, tries = upstreams(layout, "web1")
    assert (len(servers), len(tries)) == (30, 4)


def test_keys_are_for_nginx_alone() -> None:
    files = {file.path: file for file in render(context_of(make_spec(WHITEBOARD), "server1")).files}
    keys = [file for path, file in files.items() if path.endswith(".key")]
    assert {(file.mode, file.group, file.secret) for file in keys} == {(0o640, "www-data", True)}
    assert [Path(file.path).name for file in keys] == ["web.key", "app.key"]
    assert not any(b"PRIVATE KEY" in file.content for file in files.values() if not file.secret)


def test_plain_mode_holds_no_key_and_accepts_by_address() -> None:
    context = context_of(make_spec(tls={"inside": "plain"}), "web1")
    web = derive_view(context).web
    assert web is not None
    balancers = ("10.213.0.10", "198.18.0.10", "10.213.0.11", "198.18.0.11")
    assert web.listener.accepted == (*balancers, "10.213.0.18"), (
        "balancers, and the monitor that asks whether it serves"
    )
    assert web.listener.trusted == balancers, "only balancers speak for visitors"
    assert not any(f.path.endswith((".key", ".crt")) for f in render(context).files)


def test_the_same_spec_gives_the_same_bytes() -> None:
    context = context_of(make_spec(), "web1")
    assert [f.content for f in render(context).files] == [f.content for f in render(context).files]


@pytest.mark.parametrize(
    ("quoted", "wanted"),
    [
        (quote_string('a"b\\'), '"a\\"b\\\\"'),
        (quote_path("/up?a=$b c"), '"/up?a=%24b%20c"'),
        (quote_prefix("/a.b/"), '"~^/a\\\\.b/"'),
    ],
)
def test_strings_are_quoted_for_nginx(quoted: str, wanted: str) -> None:
    assert quoted == wanted


@AS_ROOT
@pytest.mark.skipif(shutil.which("logrotate") is None, reason="needs logrotate")
def test_logrotate_accepts_its_part_and_moves_the_log(folder: Path) -> None:
    machine = Machine(folder / "m", [render(context_of(make_spec(), "web1"))])
    try:
        log = machine.folder / "var/log/bastide/nginx-web.tsv"
        log.write_text("line\n")
        (machine.folder / "var/log/bastide").chmod(0o755)
        shutil.chown(machine.folder / "var/log/bastide", "root", "root")
        kept = log.stat().st_ino
        config = machine.folder / "etc/logrotate.d/bastide-nginx"
        config.write_text(config.read_text().replace("systemctl", "echo systemctl"))
        done = machine.run("logrotate", "-f", "-s", "/var/log/state", "/etc/logrotate.d/bastide-nginx")
        assert done.returncode == 0, done.stderr
        assert "kill --signal=USR1 --kill-who=main nginx.service" in done.stdout
        assert Path(f"{log}.1").stat().st_ino == kept, "moved, not copied and truncated"
        assert log.read_text() == ""
    finally:
        machine.stop()


def test_settings_reach_the_configuration() -> None:
    files = {Path(f.path).name: f.content.decode() for f in render(context_of(make_spec(web={
        "max_body_size": "50M", "workers": 3, "worker_connections": 100, "upstream_keepalive": 7,
        "snippets": {"http": "map_hash_max_size 4096;"},
    }), "web1")).files}  # fmt: skip
    for line in (
        "worker_processes 3;",
        "worker_connections 100;",
        "map_hash_max_size",
    ):
        assert line in files["nginx.conf"]
    for line in ("keepalive 7;", "client_max_body_size 52428800;"):
        assert line in files["web.conf"]
