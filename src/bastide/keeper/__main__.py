"""`keeper run|donate|check SETTINGS`, `keeper ready SOCKET`, `keeper fence SOCKET`, `keeper ctl SOCKET ORDER`.

run: the daemon. donate: one copy stream to a peer, on stdout. check: settings can be read, and no other database
lies in the place of Debian's package. fence: the process that kills the server when its lease runs out. ctl: one
order of the operator. ready: does the running keeper say that the server has its role?
Exit status 0; 1 where the answer is no; 2 for bad usage or settings.
"""

from __future__ import annotations

import http.client
import json
import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from bastide.keeper.datadir import RECORD, find_foreign_databases
from bastide.keeper.peers import UnixHttpConnection
from bastide.keeper.settings import Settings, load_secrets, load_settings

if TYPE_CHECKING:
    from bastide.keeper.autopilot import Autopilot
    from bastide.keeper.daemon import Keeper


def main(arguments: list[str]) -> int:
    """Entry point."""
    match arguments:
        case ["ready", path]:
            return _ready(path)
        case ["fence", path]:
            from bastide.keeper.fencer import run_fence

            return run_fence(Path(path))
        case ["ctl", socket_path, order]:
            return _order(socket_path, order)
        case [("run" | "donate" | "check") as verb, path]:
            pass
        case _:
            print(
                "usage: keeper run|donate|check SETTINGS, keeper ready|fence SOCKET, keeper ctl SOCKET ORDER",
                file=sys.stderr,
            )
            return 2
    try:
        settings = load_settings(Path(path))
        if verb == "check":
            load_secrets(settings.secrets)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"keeper: {path}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if verb == "run":
        return _run(settings)
    if verb == "donate":
        from bastide.keeper.seeding import donate

        return donate(settings, sys.stdout.buffer)
    return _check(settings)


def _run(settings: Settings) -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    keeper = _keeper(settings)
    signal.signal(signal.SIGTERM, lambda *_: keeper.stop())
    signal.signal(signal.SIGINT, lambda *_: keeper.stop())
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="keeper") as pool:
        # Not in this thread: whatever lock it holds when a signal comes, `stop` may need.
        pool.submit(keeper.run).result()
    return 0


def _keeper(settings: Settings) -> Autopilot | Keeper:
    if settings.failover is None:
        from bastide.keeper.daemon import Keeper

        return Keeper(settings)
    from bastide.keeper.autopilot import Autopilot

    return Autopilot(settings)


def _order(socket_path: str, order: str) -> int:
    connection = UnixHttpConnection(socket_path, 30.0)
    try:
        connection.request("POST", f"/{order}", headers={"Content-Length": "0"})
        response = connection.getresponse()
        print(response.read().decode().strip())
        return 0 if response.status == 200 else 1
    except (OSError, http.client.HTTPException) as error:
        print(json.dumps({"version": 1, "done": False, "message": f"the keeper does not answer: {error}"}))
        return 1
    finally:
        connection.close()


def _check(settings: Settings) -> int:
    found = find_foreign_databases(settings)
    if found and not (settings.data / RECORD).exists():
        print(
            f"{settings.stock_data} holds databases that are not ours: {', '.join(found)}. "
            "Export them and move the directory away, or use another host.",
            file=sys.stderr,
        )
        return 1
    return 0


def _ready(socket_path: str) -> int:
    connection = UnixHttpConnection(socket_path, 10.0)
    try:
        connection.request("GET", "/ready")
        response = connection.getresponse()
        plain = json.loads(response.read())
        print(f"{plain.get('state')}: {plain.get('message')}")
        return 0 if response.status == 200 else 1
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"{socket_path}: {error}")
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
