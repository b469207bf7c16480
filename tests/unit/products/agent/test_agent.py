"""What the agent is told: the columns that the logs really have, and no more rights than it needs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bastide.agent.counting import Counting
from bastide.agent.logs import derive_known, derive_layouts
from bastide.agent.settings import Settings, read_settings
from bastide.products.agent import render as agent
from bastide.products.agent.view import derive_settings
from bastide.products.context import HostContext
from bastide.products.haproxy import render as haproxy
from bastide.products.nginx import render as nginx
from bastide.products.zipapp import build_zipapp
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, make_spec


def context_of(host: str, layout: Mapping[str, Sequence[str]] = RESILIENT) -> HostContext:
    spec = make_spec(layout, web={"static": {"/static/": "./static"}})
    topology = resolve_topology(spec)
    materials = fake_materials(spec, topology)
    return HostContext(spec=spec, topology=topology, materials=materials, host=topology.hosts[host])


def settings_of(host: str, layout: Mapping[str, Sequence[str]] = RESILIENT) -> Settings:
    return read_settings(json.loads(json.dumps(derive_settings(context_of(host, layout)))))


def text(fragment: Any, path: str) -> str:
    return str({f.path: f.content for f in fragment.files}[path].decode())


def test_columns_are_those_of_the_logs() -> None:
    """The template writes the very fields that the settings name, in that order."""
    (web,) = settings_of("web1").logs
    config = text(nginx.render(context_of("web1")), "/etc/bastide/nginx/nginx.conf")
    (line,) = (line for line in config.splitlines() if "log_format web" in line)
    assert line.split("'")[1].split(r"\t")[: len(web.columns)] == [
        "$msec", "$status", "$known_method", "$web_route", "$request_time", "$upstream_response_time", "$bytes_sent",
        "$remote_addr", "$bastide_request_id", "$request_uri", "$connection_requests",
    ]  # fmt: skip
    assert web.columns[:4] == ("ended_s", "status", "method", "route")
    (edge,) = settings_of("lb1").logs
    config = text(haproxy.render(context_of("lb1")), "/etc/bastide/haproxy/haproxy.cfg")
    formats = [line.split('"')[1] for line in config.splitlines() if "log-format" in line]
    assert {f.count(r"\t") + 1 for f in formats if f.startswith("R")} == {len(edge.columns)}
    assert {f.count(r"\t") + 1 for f in formats if f.startswith("E")} == {len(edge.failed_columns)}
    assert edge.routes == ("app", "/static/") and "str(/static/) if { var(txn.path) -m beg /static/ }" in config


@pytest.mark.parametrize("host", ["lb1", "web1", "app1", "db1", "monitor1"])
def test_every_kind_of_host_gets_settings_that_the_agent_can_use(host: str) -> None:
    settings = settings_of(host)
    assert [log.service for log in settings.logs] == {"lb1": ["edge"], "web1": ["web"], "app1": ["app"]}.get(
        host, []
    )
    for log in settings.logs:
        Counting(derive_layouts(log)).born(derive_known(log))
    assert [m.name for m in settings.monitors] == ["monitor1"]
    assert (settings.keeper_socket is not None) == (host == "db1")
    assert (settings.virtual_ip is not None) == (host == "lb1")


def test_one_host_with_everything_counts_three_logs() -> None:
    assert [log.service for log in settings_of("all1", EVERYTHING_ON_ONE).logs] == ["edge", "web", "app"]


def test_only_the_agent_reads_its_key_and_it_has_no_capability() -> None:
    fragment = agent.render(context_of("web1"))
    (key,) = (f for f in fragment.files if f.path.endswith("key.pem"))
    assert (key.mode, key.owner, key.group, key.secret) == (0o640, "root", "bastide-agent", True)
    unit = text(fragment, "/etc/systemd/system/bastide-agent.service")
    assert "CapabilityBoundingSet=\n" in unit and "AmbientCapabilities" not in unit
    firewall = text(fragment, "/etc/systemd/system/bastide-agent-firewall.service")
    assert "AF_INET" not in firewall and "CapabilityBoundingSet=CAP_NET_ADMIN\n" in firewall


def test_the_program_runs_by_itself(tmp_path: Path) -> None:
    program, settings = tmp_path / "agent.pyz", tmp_path / "settings.json"
    program.write_bytes(build_zipapp("bastide.agent"))
    assert zipfile.ZipFile(io.BytesIO(build_zipapp("bastide.agent"))).namelist()[0] == "__main__.py"
    settings.write_text(json.dumps(derive_settings(context_of("lb1"))))
    argv = [sys.executable, "-I", str(program), "check", str(settings)]
    assert subprocess.run(argv, check=False).returncode == 0
    settings.write_text("{}")
    assert subprocess.run(argv, check=False, capture_output=True).returncode == 2
