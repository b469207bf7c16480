"""What HAProxy is given: files, modes, determinism, and its own checker's word."""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bastide.products.fragment import Fragment
from bastide.products.haproxy.pages import render_pages
from bastide.products.haproxy.render import render
from bastide.products.haproxy.view import PageTooLarge, derive_view
from tests.unit.products.haproxy import scene

PAIR = {"virtual_ip": "192.0.2.10", "interface": "pub0"}


def content(fragment: Fragment, name: str) -> str:
    return next(f.content.decode() for f in fragment.files if f.path.endswith(f"/{name}"))


def check(fragment: Fragment, root: Path) -> subprocess.CompletedProcess[str]:
    """The fragment's own check, on its tree below `root`."""
    config = scene.write_tree(fragment, root)
    argv = fragment.checks[0].argv
    return subprocess.run(
        [str(config) if word.startswith("/etc/bastide/") else word for word in argv],
        capture_output=True,
        text=True,
        check=False,
    )


def test_keys_are_for_root_alone_and_secret() -> None:
    fragment = render(scene.context())
    with_keys = [f for f in fragment.files if b"PRIVATE KEY" in f.content]
    assert {f.path.rsplit("/", 1)[1] for f in with_keys} == {"edge.pem", "client.pem"}
    assert all((f.mode, f.owner, f.secret) == (0o600, "root", True) for f in with_keys)


def test_the_same_input_gives_the_same_bytes() -> None:
    assert render(scene.context(balancer=PAIR)) == render(scene.context(balancer=PAIR))


def test_web_servers_are_those_of_the_flow() -> None:
    context = scene.context(
        hosts={"lb1": {"roles": ["balancer"], "address": "fd00::1"}, "w": {"roles": ["web"], "address": "fd00::2"}}
    )
    (server,) = derive_view(context).servers
    port = context.topology.flow("balancer-web").port
    assert (server.name, server.endpoint, server.tls_name) == ("w", f"[fd00::2]:{port}", "web.w.shop.internal")


def test_plain_inside_hands_out_no_client_certificate() -> None:
    fragment = render(scene.context(tls={"inside": "plain"}))
    assert not any(f.path.endswith(("client.pem", "ca.pem")) for f in fragment.files)
    assert "verify" not in content(fragment, "haproxy.cfg")


def test_the_unit_tells_keepalived_only_where_there_is_one() -> None:
    assert "haproxy_down" in content(render(scene.context(balancer=PAIR)), "haproxy.service")
    assert "haproxy_down" not in content(render(scene.context()), "haproxy.service")


def test_the_units_own_check_at_a_reload_writes_nothing_into_the_log(tmp_path: Path) -> None:
    """The unit's stdout is the log, and HAProxy writes over whatever others append to it."""
    fragment = render(scene.context())
    config = scene.write_tree(fragment, tmp_path)
    lines = content(fragment, "haproxy.service").splitlines()
    command = next(line.removeprefix("ExecReload=") for line in lines if line.startswith("ExecReload=/bin/sh"))
    done = subprocess.run(
        shlex.split(command.replace("/etc/bastide/haproxy/haproxy.cfg", str(config))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "valid" in done.stderr


def test_no_hsts_without_time() -> None:
    assert "Strict-Transport" not in content(render(scene.context(tls={"hsts": "0s"})), "haproxy.cfg")


def test_a_large_maintenance_page_gets_a_larger_buffer_and_a_huge_one_is_refused() -> None:
    assert derive_view(scene.context()).buffer_bytes == 16384
    larger = scene.context(texts={"balancer.maintenance_page": "x" * 20000})
    assert derive_view(larger).buffer_bytes == 32768
    with pytest.raises(PageTooLarge, match="leave pictures out"):
        derive_view(scene.context(texts={"balancer.maintenance_page": "x" * 100000}))


def test_pages_say_their_own_length() -> None:
    pages = render_pages(maintenance_page="Zurück um zwölf", retry_after_s=7)
    for answer in pages.values():
        head, body = answer.split(b"\r\n\r\n", 1)
        assert f"Content-Length: {len(body)}".encode() in head
    assert b"Retry-After: 7" in pages[429]


LAYOUTS: dict[str, dict[str, Any]] = {
    "mutual": {},
    "plain": {"tls": {"inside": "plain"}},
    "pair": {"balancer": PAIR},
    "maintenance": {"balancer": {"maintenance": True, "threads": 2}},
    "version 6": {
        "hosts": {
            "lb1": {"roles": ["balancer"], "address": "fd00::1"},
            "w": {"roles": ["web"], "address": "fd00::2"},
        }
    },
    "many domains": {"domains": [f"d{n}.example.com" for n in range(100)]},
    "alone": {"hosts": {"lb1": {"roles": ["balancer", "web"], "address": "10.0.0.1"}}},
    "no web": {"hosts": {"lb1": {"roles": ["balancer"], "address": "10.0.0.1"}}},
    "snippets": {
        "balancer": {
            "snippets": {
                "global": "tune.ssl.cachesize 10000",
                "defaults": "option tcpka",
                "frontend": "http-request set-header X-Team shop\nuse_backend web if { path /x }",
                "backend": "http-response set-header X-Edge yes",
            }
        }
    },
}


@pytest.mark.skipif(not scene.has("haproxy"), reason="needs haproxy")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_haproxy_itself_accepts_the_configuration_without_a_warning(tmp_path: Path, layout: str) -> None:
    done = check(render(scene.context(**LAYOUTS[layout])), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not scene.has("haproxy"), reason="needs haproxy")
@pytest.mark.parametrize("broken", ["snippet", "warning", "key"])
def test_haproxy_itself_refuses_a_broken_one(tmp_path: Path, broken: str) -> None:
    lines = {"snippet": "no such keyword", "warning": "use_backend web if TRUE\nhttp-request deny"}.get(broken, "")
    context = scene.context(balancer={"snippets": {"frontend": lines}})
    if broken == "key":
        other = next(iter(context.materials.identities.values()))
        edge = dataclasses.replace(context.materials.edge, key_pem=other.key_pem)
        context = dataclasses.replace(context, materials=dataclasses.replace(context.materials, edge=edge))
    assert check(render(context), tmp_path).returncode != 0


@pytest.mark.skipif(not scene.has("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_finds_nothing_to_say_about_the_units(tmp_path: Path) -> None:
    scene.write_tree(render(scene.context(balancer=PAIR)), tmp_path)
    units = sorted(str(p) for p in (tmp_path / "etc/systemd/system").iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
