"""AppView -> Fragment: release, user, units, environment, checks and probes.

In: a HostContext. Out: the application's part of that host.
Holds: secrets stand in the environment file alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bastide.products.app.view import CONFIG, PHP, AppView, derive_view
from bastide.products.context import HostContext
from bastide.products.fragment import Archive, Check, File, Fragment, Probe, Unit, User
from bastide.products.nginx.application import app_draining
from bastide.products.probes import expect_status
from bastide.products.systemd import format_environment_file
from bastide.products.templates import render_template

UNITS = "/etc/systemd/system"
ENVIRONMENT = f"{CONFIG}/environment"
_PHP_PACKAGES = tuple(f"php{PHP}-{part}" for part in ("fpm", "cli", "mysql", "mbstring", "opcache"))
STARTUP_S = 90.0
"""The application may have to wait for a database that is still being seeded."""


def render(context: HostContext) -> Fragment:
    """The application on that host."""
    view, release = derive_view(context), context.materials.releases["app"]
    return Fragment(
        product="app",
        packages=(*(_PHP_PACKAGES if view.kind == "php" else ("python3",)), "curl"),
        users=(User(name="app"),),
        archives=(Archive(path=f"/srv/bastide/app/{release.digest}", digest=release.digest, size=release.size),),
        files=tuple(_files(view)),
        units=tuple(_units(view, app_draining(context))),
        checks=tuple(_checks(view)),
        probes=tuple(_probes(context, view)),
    )


def _files(view: AppView) -> Iterator[File]:
    content = format_environment_file(view.environment).encode()
    yield File(path=ENVIRONMENT, content=content, mode=0o600, secret=True)
    for unit in _unit_files(view):
        yield File(path=f"{UNITS}/{unit}", content=_print(f"{unit}.j2", view))
    if view.kind == "php":
        yield File(path=f"{CONFIG}/php-fpm.conf", content=_print("php-fpm.conf.j2", view))
    if view.migrate:
        yield File(path=f"{CONFIG}/migrate.sh", content=_print("migrate.sh.j2", view))


def _unit_files(view: AppView) -> tuple[str, ...]:
    processes = ("app@.service",) if view.ports else ()
    return (*(("app-migrate.service",) if view.migrate else ()), *processes, "app.service")


def _print(template: str, view: AppView) -> bytes:
    return render_template(__package__, template, view).encode()


def _units(view: AppView, draining: Mapping[str, Any]) -> Iterator[Unit]:
    """The release stands in the unit files by its digest: another release is another unit file."""
    replaced = (f"php{PHP}-fpm.service",) if view.kind == "php" else ()
    if view.migrate:
        yield Unit(name="app-migrate.service", kind="oneshot", restart_on=(f"{CONFIG}/migrate.sh", ENVIRONMENT))
    for port in view.ports:
        # Restarted by app.service, of which they are part; listed so that one too many is stopped.
        yield Unit(name=f"app@{port}.service", **draining)
    yield Unit(
        name="app.service",
        restart_on=(ENVIRONMENT, f"{CONFIG}/php-fpm.conf", f"{UNITS}/app@.service"),
        stops_before=replaced,
        **draining,
    )


def _checks(view: AppView) -> Iterator[Check]:
    if view.kind == "php":
        # Not as root: php-fpm then asks for a user to become, which the unit has chosen already.
        drop = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        argv = (*drop, f"/usr/sbin/php-fpm{PHP}", "-t", "-y", f"{CONFIG}/php-fpm.conf")
        yield Check(name="php-fpm -t", argv=argv)
    paths = tuple(f"{UNITS}/{unit}" for unit in _unit_files(view))
    yield Check(name="the application's units", argv=("systemd-analyze", "verify", "--man=no", *paths), quiet=True)


def _probes(context: HostContext, view: AppView) -> Iterator[Probe]:
    domain, health = context.topology.domains[0], context.spec.app.health
    headers = ("--header", f"Host: {domain}", "--header", "X-Forwarded-Proto: https")
    for port in view.ports:
        argv = expect_status(200, *headers, f"http://127.0.0.1:{port}{health}")
        yield Probe(name=f"the application's process on port {port} is healthy", argv=argv, timeout_s=STARTUP_S)
    yield Probe(
        name=f"the application answers {health} with 200",
        # Through this host's nginx: the socket, and nginx's leave to open it, are proved with it.
        argv=expect_status(200, "--unix-socket", "/run/nginx/health.sock", "http://localhost/.bastide/health"),
        timeout_s=STARTUP_S,
    )
