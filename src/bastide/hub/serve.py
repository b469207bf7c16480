"""The daemon: listeners, and an orderly end.

In: Settings. Out: runs until SIGTERM. Raises OSError when a listener cannot be had.
Holds: sockets of files are open to whom they are meant for from their first moment on.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn  # type: ignore[import-untyped]
from starlette.types import ASGIApp

from bastide.hub.app import admin_app, metrics_app, public_app
from bastide.hub.core import LOG, Hub
from bastide.hub.settings import Settings
from bastide.hub.systemd import notify


def run_hub(settings: Settings) -> int:
    """Serve until told to stop."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    # Three servers' comings and goings say nothing; their failures do.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # Left at 0, this one has every message of every connection put into words for nobody.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    asyncio.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    hub = Hub(settings, search_argv=_search_argv())
    public = _unix_listener(settings.socket, 0o660, settings.socket_group)
    admin = _unix_listener(settings.admin_socket, 0o600, "")
    scraped = socket.create_server(("127.0.0.1", settings.metrics_port))
    servers = [
        (_server(public_app(hub), connections=512), public),
        (_server(admin_app(hub), connections=64), admin),
        (_server(metrics_app(hub), connections=16), scraped),
    ]

    def stop() -> None:
        hub.closing = True
        for server, _ in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    background = [asyncio.create_task(hub.run()), asyncio.create_task(hub.watch_alerts())]
    serving = [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in servers]
    LOG.info("hub of %s on %s, %d hosts", settings.project, settings.socket, len(settings.hosts))
    notify("READY=1")
    # The first of them to end ends all: systemd starts us anew, which half a hub would prevent.
    await asyncio.wait([background[0], *serving], return_when=asyncio.FIRST_COMPLETED)
    stop()
    notify("STOPPING=1")
    background[1].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*background, *serving)
    hub.close()


def _server(app: ASGIApp, *, connections: int) -> uvicorn.Server:
    class Server(uvicorn.Server):  # type: ignore[misc]
        def install_signal_handlers(self) -> None:
            """Ours are for all listeners together."""

    config = uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=connections,
        timeout_keep_alive=75,
    )
    return Server(config)


def _unix_listener(path: str, mode: int, group: str) -> socket.socket:
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    with _umask(0o777):
        listener.bind(path)
    if group:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    Path(path).chmod(mode)
    listener.listen(512)
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _search_argv() -> tuple[str, ...]:
    """How this very program is started again."""
    program = Path(sys.argv[0])
    if program.suffix == ".pyz":
        return (sys.executable, "-I", str(program), "search")
    return (sys.executable, "-m", "bastide.hub", "search")
