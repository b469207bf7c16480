"""How an application host's nginx reaches the application that runs beside it.

In: a HostContext. Out: `Application`.
Holds: the application is only ever reached over a unix socket or loopback.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from bastide.products.context import HostContext

HTTP_SOCKET = "/run/app/app.sock"
FASTCGI_SOCKET = "/run/app/php.sock"
DRAIN_FLAG = "/run/bastide/drain/app"
"""While it exists this host says, before anything runs, that its application was never reached."""
READY_FLAG = "/run/app/ready"
"""It says so too while this does not exist. Gone with the folder whenever the application stops."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PhpFront:
    """Which PHP files may be run."""

    root: str
    """Folder of the front controller; nothing outside it is reachable."""
    script: str
    """The front controller, such as `/index.php`, below `root`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """The application, from its own host."""

    servers: tuple[str, ...]
    """For nginx's `server`: `unix:…`, or loopback endpoints."""
    php: PhpFront | None
    health: str
    """Its health path, as it stands in a request."""
    health_host: str
    """Host name for health requests: frameworks refuse names that are not theirs."""
    timeout_s: int
    drain_flag: str | None
    """None where no other host could answer instead."""
    ready_flag: str | None
    """None where, besides, the application listens only once it can answer."""


def derive_application(context: HostContext) -> Application:
    """The application of that host."""
    app = context.spec.app
    return Application(
        servers=_servers(context),
        php=_php_front(context) if app.kind == "php" else None,
        health=app.health,
        health_host=context.topology.domains[0],
        timeout_s=math.ceil(app.timeout) + 2,
        drain_flag=DRAIN_FLAG if len(context.topology.tier("app")) > 1 else None,
        ready_flag=ready_flag(context),
    )


def ready_flag(context: HostContext) -> str | None:
    """What stands there once the application has answered; None where nobody looks."""
    # gunicorn listens before its processes have loaded the application; uvicorn, PHP's and most programs' servers after.
    return READY_FLAG if context.spec.app.kind == "wsgi" and len(context.topology.tier("app")) > 1 else None


def app_draining(context: HostContext, *, listener: bool = False) -> dict[str, Any]:
    """Fields of every unit whose restart breaks what the application is doing on that host.

    `listener`: it also ends the connections that web servers keep, so those have to be gone first.
    """
    if (
        "app" not in context.host.roles
        or context.spec.app.kind == "static"
        or len(context.topology.tier("app")) < 2
    ):
        return {}
    return {
        "drain_flag": DRAIN_FLAG,
        "drains": (
            *(server.removeprefix("unix:") for server in _servers(context)),
            *(
                (f"{context.host.private}:{context.topology.flow('web-app').port}",)
                if listener and context.topology.has_flow("web-app")
                else ()
            ),
        ),
    }


def _servers(context: HostContext) -> tuple[str, ...]:
    app = context.spec.app
    if app.kind == "command":
        return tuple(f"127.0.0.1:{app.port + index}" for index in range(app.processes))
    return (f"unix:{FASTCGI_SOCKET if app.kind == 'php' else HTTP_SOCKET}",)


def _php_front(context: HostContext) -> PhpFront:
    entry = PurePosixPath(context.spec.app.entry or "index.php")
    code = PurePosixPath("/srv/bastide/app", context.materials.releases["app"].digest, "code")
    return PhpFront(root=str((code / entry).parent), script=f"/{entry.name}")
