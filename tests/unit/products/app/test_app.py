"""The application's units, environment and checks; gunicorn and php-fpm run for real behind nginx."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from bastide.apply.releases import build_releases
from bastide.products.app import render as app
from bastide.products.app.render import ENVIRONMENT
from bastide.products.app.view import derive_view
from bastide.products.context import HostContext
from bastide.products.fragment import Fragment
from bastide.products.nginx import render as nginx
from bastide.products.nginx.application import READY_FLAG
from bastide.topology.resolve import resolve_topology
from tests.unit.products.authority import Authority, issue_materials
from tests.unit.products.machine import Machine
from tests.unit.specs import make_spec
from tests.waiting import wait_until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a host's folders")
KINDS: dict[str, dict[str, Any]] = {
    "wsgi": {"kind": "wsgi", "entry": "shop:app"},
    "asgi": {"kind": "asgi", "entry": "main:app"},
    "php": {"kind": "php", "entry": "public/index.php"},
    "command": {"kind": "command", "command": ["python3", "server.py"], "processes": 3},
}
PASSWORD = "p/w:@'\"$%\n"


def context_of(kind: str, **settings: Any) -> HostContext:
    spec = make_spec(app={**KINDS[kind], "migrate": ["python3", "-m", "x"], **settings})
    topology = resolve_topology(spec)
    secrets = {"database.password": PASSWORD, "app.KEY": "canary-secret"}
    materials = issue_materials(spec, topology, Authority(topology.internal_domain), secrets)
    return HostContext(spec=spec, topology=topology, materials=materials, host=topology.hosts["app1"])


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="ba"))
    yield path
    shutil.rmtree(path)


def test_the_database_is_named_by_loopback_and_its_password_survives_the_url() -> None:
    variables = derive_view(context_of("wsgi")).environment
    for name, port in (("DATABASE_URL", 13306), ("DATABASE_URL_READONLY", 13307)):
        url = urlsplit(variables[name])
        assert (url.scheme, url.username, url.hostname, url.port) == ("mysql", "app", "127.0.0.1", port)
        assert unquote(url.password or "") == PASSWORD
        assert url.path == "/shop"


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_stands_in_the_environment_file_alone(kind: str) -> None:
    fragment = app.render(context_of(kind, secrets={"KEY": {"generate": 32}}))
    holding = [file for file in fragment.files if b"canary-secret" in file.content]
    assert [(file.path, file.mode, file.secret) for file in holding] == [(ENVIRONMENT, 0o600, True)]
    assert "canary-secret" not in repr(fragment)


@pytest.mark.parametrize("kind", KINDS)
def test_another_release_is_another_unit_file(kind: str) -> None:
    first = context_of(kind)
    release = first.materials.releases["app"]
    for file in app.render(first).files:
        if file.path.endswith(".service") and not (kind == "command" and file.path.endswith("/app.service")):
            assert release.digest.encode() in file.content, file.path


def test_each_process_of_a_command_has_a_port_of_its_own() -> None:
    units = [unit.name for unit in app.render(context_of("command")).units]
    assert units == [
        "app-migrate.service", "app@18000.service", "app@18001.service", "app@18002.service", "app.service",
    ]  # fmt: skip


@AS_ROOT
@pytest.mark.parametrize("kind", KINDS)
def test_the_checks_pass_on_what_is_rendered(kind: str, folder: Path) -> None:
    if kind == "php" and shutil.which("php-fpm8.2") is None:
        pytest.skip("needs php-fpm")
    fragment = app.render(context_of(kind, memory_max="200M"))
    machine = Machine(folder / "m", [fragment])
    try:
        for check in fragment.checks:
            done = machine.run(*check.argv)
            assert done.returncode == 0, done.stderr
            assert not check.quiet or done.stdout + done.stderr == ""
        for unit in ("app.service", "app-migrate.service"):
            path = machine.folder / "etc/systemd/system" / unit
            path.write_text(path.read_text() + "\n[Service]\nNoSuchSetting=1\n")
        if kind == "php":
            (machine.folder / "etc/bastide/app/php-fpm.conf").write_text("nonsense")
        for check in fragment.checks:
            done = machine.run(*check.argv)
            assert done.returncode != 0 or (check.quiet and done.stdout + done.stderr != ""), check.name
    finally:
        machine.stop()


@AS_ROOT
@pytest.mark.parametrize("kind", KINDS)
def test_the_units_are_hardened(kind: str, folder: Path) -> None:
    context = context_of(kind)
    machine = Machine(folder / "m", [app.render(context), nginx.render(context)])
    try:
        for unit in (
            "nginx.service",
            "app@.service" if kind == "command" else "app.service",
            "app-migrate.service",
        ):
            argv = ("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20")
            done = machine.run(*argv, f"/etc/systemd/system/{unit}")
            assert done.returncode == 0, done.stdout[-300:] + done.stderr[-300:]
    finally:
        machine.stop()


def _unpack(store: Path, digest: str, target: Path) -> None:
    target.mkdir(parents=True)
    subprocess.run(["tar", "-xzf", str(store / digest), "-C", str(target)], check=True)


def _run_unit(machine: Machine, fragment: Fragment, unit: str) -> None:
    """What systemd would do with the unit: user, folder, environment, command."""
    text = next(f.content.decode() for f in fragment.files if f.path.endswith(f"/{unit}"))
    lines = [line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#")]
    command = next(value for name, _, value in lines if name == "ExecStart")
    work = next(value for name, _, value in lines if name == "WorkingDirectory")
    variables = " ".join(value for name, _, value in lines if name == "Environment")
    runtime = machine.folder / "run/app"
    shutil.chown(runtime, 61234, 61234)
    runtime.chmod(0o750)
    script = f"cd {work} && set -a && . /run/environment && set +a && exec env {variables} {command}"
    shutil.copy(machine.folder / ENVIRONMENT.lstrip("/"), machine.folder / "run/environment")
    (machine.folder / "run/environment").chmod(0o644)
    machine.start("sh", "-c", script, user="app")


@AS_ROOT
@pytest.mark.parametrize("kind", ["wsgi", "asgi", "php"])
def test_nginx_reaches_the_real_server_and_the_probe_proves_it(kind: str, folder: Path) -> None:
    if kind == "php" and shutil.which("php-fpm8.2") is None:
        pytest.skip("needs php-fpm")
    source = folder / "project/app"
    (source / "public").mkdir(parents=True)
    (source / "shop.py").write_text(
        "import os\ndef app(environ, start_response):\n"
        "    start_response('200 OK' if environ['wsgi.url_scheme'] == 'https' else '301 Moved', [])\n"
        "    return [f\"{environ['PATH_INFO']} {environ['HTTP_HOST']} {os.environ['KEY']}\".encode()]\n"
    )
    (source / "main.py").write_text(
        "import os\nasync def app(scope, receive, send):\n"
        "    if scope['type'] != 'http': return\n"
        "    host = dict(scope['headers'])[b'host'].decode()\n"
        "    status = 200 if scope['scheme'] == 'https' else 301\n"
        "    await send({'type': 'http.response.start', 'status': status, 'headers': []})\n"
        "    body = f\"{scope['path']} {host} {os.environ['KEY']}\".encode()\n"
        "    await send({'type': 'http.response.body', 'body': body})\n"
    )
    (source / "public/index.php").write_text(
        "<?php http_response_code(($_SERVER['HTTPS'] ?? '') === 'on' ? 200 : 301);\n"
        "echo $_SERVER['REQUEST_URI'], ' ', $_SERVER['HTTP_HOST'], ' ', getenv('KEY');\n"
    )
    context = context_of(kind, secrets={"KEY": {"generate": 32}}, processes=1, health="/up")
    release = build_releases(context.spec, folder / "project", folder / "state/blobs")["app"]
    context.materials.releases["app"] = release  # type: ignore[index]
    fragment = app.render(context)
    machine = Machine(folder / "m", [fragment, nginx.render(context)])
    try:
        _unpack(folder / "state/blobs", release.digest, machine.folder / "srv/bastide/app" / release.digest)
        config = machine.folder / "etc/bastide/nginx/app.conf"
        config.write_text(
            config.read_text().replace("listen 10.213.0.14:9443", f"listen 127.{os.getpid() % 200 + 20}.1.1:9443")
        )
        _start_nginx_of(machine)
        (probe,) = fragment.probes
        assert "got" in machine.run(*probe.argv).stdout, "before the application runs"
        _run_unit(machine, fragment, "app.service")
        wait_until(lambda: machine.run(*probe.argv).returncode == 0)
        curl = ("curl", "-s", "--unix-socket", "/run/nginx/health.sock", "http://localhost/.bastide/health")
        assert machine.run(*curl).stdout == "/up shop.test canary-secret"
    except AssertionError:
        print(machine.output)
        raise
    finally:
        machine.stop()


@AS_ROOT
def test_gunicorn_listens_long_before_it_can_answer_and_the_unit_waits_for_the_answer(folder: Path) -> None:
    source = folder / "project/app"
    source.mkdir(parents=True)
    (source / "shop.py").write_text(
        "import os, time\nwhile not os.path.exists('/run/app/loaded'): time.sleep(0.02)\n"
        "def app(environ, start_response):\n    start_response('500 Oh', [])\n    return [b'']\n"
    )
    context = context_of("wsgi", secrets={"KEY": {"generate": 32}}, processes=1)
    release = build_releases(context.spec, folder / "project", folder / "state/blobs")["app"]
    context.materials.releases["app"] = release  # type: ignore[index]
    fragment = app.render(context)
    unit = next(f.content.decode() for f in fragment.files if f.path.endswith("/app.service"))
    ask, mark = (line.partition("=")[2] for line in unit.splitlines() if line.startswith("ExecStartPost="))
    assert ask.startswith("-"), "one that is too slow to answer serves all the same"
    machine = Machine(folder / "m", [fragment])
    runtime = machine.folder / "run/app"
    try:
        _unpack(folder / "state/blobs", release.digest, machine.folder / "srv/bastide/app" / release.digest)
        _run_unit(machine, fragment, "app.service")
        wait_until((runtime / "app.sock").exists)
        asking = machine.start(*shlex.split(ask[1:]), user="app")
        with pytest.raises(subprocess.TimeoutExpired):
            asking.wait(1.0)
        (runtime / "loaded").touch()
        assert asking.wait(40) == 0, "whatever the answer is"
        assert machine.run(*shlex.split(mark), user="app").returncode == 0
        assert (machine.folder / READY_FLAG.lstrip("/")).exists()
    except AssertionError:
        print(machine.output)
        raise
    finally:
        machine.stop()


def _start_nginx_of(machine: Machine) -> None:
    """Like the unit: as www-data, and in the group of the application, whose socket it opens."""
    groups = machine.folder / "etc/group"
    groups.write_text(
        "\n".join(f"{g}www-data" if g.startswith("app:") else g for g in groups.read_text().split("\n"))
    )
    machine.start_nginx()
