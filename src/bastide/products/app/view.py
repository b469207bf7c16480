"""How the application runs on one host: every decision, typed.

In: a HostContext. Out: `AppView`, which the templates print.
Holds: the application listens on a unix socket or loopback only, and reads secrets from one file that only root
can open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bastide.products.app.environment import derive_environment
from bastide.products.context import HostContext
from bastide.products.nginx.application import FASTCGI_SOCKET, HTTP_SOCKET, ready_flag
from bastide.products.systemd import format_assignment, format_command
from bastide.spec.parts import App

CONFIG = "/etc/bastide/app"
PYTHON_PATH = "PYTHONPATH"
ANSWER_S = 45
"""Less than the unit may take to start: an application that is slower still serves, as slow as it is."""
PHP = "8.2"
"""Debian 12's; the package, the program and Debian's own unit carry it in their names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AppView:
    """The application on one host."""

    project: str
    host: str
    kind: str
    code: str
    """Working folder."""
    python_path: str | None
    """Assignment of PYTHONPATH, quoted for systemd."""
    start: str
    """Command line of the serving process, quoted for systemd."""
    service_type: str
    answered: str | None
    """Command line that ends once the application has answered anything, or ought to have; quoted for systemd."""
    ready_flag: str | None
    """What stands there from then on; None where nobody looks."""
    migrate: str | None
    """Command line of the migration, quoted for systemd."""
    ports: tuple[int, ...]
    """command: the loopback port of each process, which also names its unit."""
    memory_max: int | None
    memory_max_each: int | None
    """command: the same limit, shared among the processes."""
    timeout_s: int
    processes: int
    needs_database: bool
    just_in_time: bool
    """Whether it may make memory executable: just-in-time compilers do."""
    max_body_bytes: int
    environment: Mapping[str, str]
    php_socket: str = FASTCGI_SOCKET
    migrate_patience_s: int = 90

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the serving processes, the one that stands for all of them last."""
        return (*(f"app@{port}.service" for port in self.ports), "app.service")


def derive_view(context: HostContext) -> AppView:
    """The decisions for that host."""
    app = context.spec.app
    release = f"/srv/bastide/app/{context.materials.releases['app'].digest}"
    environment = derive_environment(context)
    folders = (f"{release}/site-packages", f"{release}/code", *filter(None, [environment.get(PYTHON_PATH)]))
    ports = tuple(app.port + i for i in range(app.processes)) if app.kind == "command" else ()
    return AppView(
        project=context.spec.name,
        host=context.host.name,
        kind=app.kind,
        code=f"{release}/code",
        python_path=format_assignment(PYTHON_PATH, ":".join(folders)) if app.kind != "php" else None,
        start=format_command(_start(app)),
        service_type="notify" if app.kind in ("wsgi", "php") else "exec",
        answered=format_command(_ask(context)) if ready_flag(context) else None,
        ready_flag=ready_flag(context),
        migrate=format_command(app.migrate) if app.migrate else None,
        ports=ports,
        memory_max=app.memory_max,
        memory_max_each=app.memory_max and app.memory_max // max(len(ports), 1),
        timeout_s=math.ceil(app.timeout),
        processes=app.processes,
        needs_database=context.spec.database is not None,
        just_in_time=app.kind in ("php", "command"),
        max_body_bytes=context.spec.web.max_body_size,
        environment={name: value for name, value in environment.items() if name != PYTHON_PATH},
    )


def _ask(context: HostContext) -> tuple[str, ...]:
    """One question, which waits until a process takes it."""
    return (
        *("/usr/bin/curl", "--silent", "--globoff", "--output", "/dev/null", "--max-time", str(ANSWER_S)),
        *("--header", f"Host: {context.topology.domains[0]}", "--header", "X-Forwarded-Proto: https"),
        *("--unix-socket", HTTP_SOCKET, f"http://localhost{context.spec.app.health}"),
    )


def _start(app: App) -> tuple[str, ...]:
    """The serving process. Server options stand here rather than in a file, so that `systemctl cat` shows all."""
    timeout = str(math.ceil(app.timeout))
    match app.kind:
        case "wsgi":
            return (
                *("/usr/bin/python3", "-m", "gunicorn", "--bind", f"unix:{HTTP_SOCKET}", "--umask", "0007"),
                *("--worker-class", "gthread", "--workers", str(app.processes), "--threads", str(app.threads)),
                *("--timeout", timeout, "--graceful-timeout", timeout, "--worker-tmp-dir", "/dev/shm"),  # noqa: S108
                *("--no-control-socket", "--name", "app", str(app.entry)),
            )
        case "asgi":
            return (
                *("/usr/bin/python3", "-m", "uvicorn", "--uds", HTTP_SOCKET, "--workers", str(app.processes)),
                *("--proxy-headers", "--forwarded-allow-ips", "*", "--no-access-log", "--no-server-header"),
                *("--timeout-graceful-shutdown", timeout, str(app.entry)),
            )
        case "php":
            return (f"/usr/sbin/php-fpm{PHP}", "--nodaemonize", "--fpm-config", f"{CONFIG}/php-fpm.conf")
        case _:
            # env finds the program by PATH or relative to the code, which systemd itself does not.
            return app.command
