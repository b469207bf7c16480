"""The hub as a product: its own program reads what is written for it, and nothing secret stands where many read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bastide.hub.settings import load_settings
from bastide.products.context import HostContext
from bastide.products.fragment import Fragment
from bastide.products.hub.render import render
from bastide.products.hub.view import PROGRAM, SECRETS, SETTINGS
from bastide.products.zipapp import build_zipapp
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials, fake_secret
from tests.unit.specs import EVERYTHING_ON_ONE, make_spec


def fragment(host: str = "monitor1", **layout: object) -> Fragment:
    spec = make_spec(**layout)  # type: ignore[arg-type]
    topology = resolve_topology(spec)
    return render(
        HostContext(
            spec=spec, topology=topology, materials=fake_materials(spec, topology), host=topology.hosts[host]
        )
    )


def written(made: Fragment, folder: Path) -> Path:
    """The files in a folder; where they name each other, they name this folder."""
    for file in made.files:
        target = folder / file.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        content = file.content
        if file.path == SETTINGS:
            content = content.replace(SECRETS.encode(), f"{folder}{SECRETS}".encode())
        target.write_bytes(content)
    return folder / SETTINGS.lstrip("/")


def test_the_program_reads_its_settings(tmp_path: Path) -> None:
    path = written(fragment(), tmp_path)
    settings = load_settings(path)
    assert list(settings.hosts) == ["lb1", "lb2", "web1", "web2", "app1", "app2", "db1", "db2", "monitor1"]
    assert settings.virtual_ip == "198.18.0.5"
    assert settings.url == "https://10.213.0.18:8444/"
    assert "haproxy" in settings.hosts["lb1"].services
    assert {flow["name"] for flow in settings.flows} >= {"internet-https", "balancer-web", "host-monitor"}
    assert settings.push_tokens == {"default": fake_secret("hub.push_token", 32)}
    program = tmp_path / PROGRAM.lstrip("/")
    assert subprocess.run([sys.executable, "-I", program, "check", path], check=False).returncode == 0
    broken = json.loads(path.read_text())
    del broken["virtual_ip"]
    path.write_text(json.dumps(broken))
    done = subprocess.run([sys.executable, "-I", program, "check", path], check=False, capture_output=True)
    assert done.returncode == 2
    assert b"virtual_ip" in done.stderr


def test_one_host_without_a_virtual_address() -> None:
    settings = json.loads(
        next(f.content for f in fragment("all1", layout=EVERYTHING_ON_ONE).files if f.path == SETTINGS)
    )
    assert settings["virtual_ip"] is None
    assert len(settings["hosts"]) == 1


def test_secrets_stand_in_one_file_that_few_read() -> None:
    token = fake_secret("hub.push_token", 32).encode()
    holding = [file for file in fragment().files if token in file.content]
    assert [(f.path, f.mode, f.group, f.secret) for f in holding] == [(SECRETS, 0o640, "bastide-hub", True)]


def test_the_archive_holds_the_pages_and_is_the_same_each_time() -> None:
    content = build_zipapp("bastide.hub")
    build_zipapp.cache_clear()
    assert build_zipapp("bastide.hub") == content
    for name in (b"bastide/hub/web/index.html", b"bastide/hub/store/archive.py", b"__main__.py"):
        assert name in content
