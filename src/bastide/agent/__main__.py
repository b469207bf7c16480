"""`agent run|check SETTINGS`, `agent ready SETTINGS`, `agent drift CURRENT RECORD`.

run: the daemon. check: the settings can be read. ready: does the running agent answer? drift: compare the live
generation's files with its manifest, once.
Exit status 0; 1 where the answer is no; 2 for bad usage or settings.
"""

from __future__ import annotations

import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bastide.agent.settings import Settings, load_settings


def main(arguments: list[str]) -> int:
    """Entry point."""
    match arguments:
        case ["drift", current, record]:
            return _drift(Path(current), Path(record))
        case [("run" | "check" | "ready") as verb, path]:
            pass
        case _:
            print("usage: agent run|check|ready SETTINGS, agent drift CURRENT RECORD", file=sys.stderr)
            return 2
    try:
        settings = load_settings(Path(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"agent: {path}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if verb == "run":
        return _run(settings)
    return _ready(settings) if verb == "ready" else 0


def _run(settings: Settings) -> int:
    from bastide.agent.daemon import Agent

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    agent = Agent(settings)
    signal.signal(signal.SIGTERM, lambda *_: agent.stop())
    signal.signal(signal.SIGINT, lambda *_: agent.stop())
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="agent") as pool:
        # Not in this thread: whatever lock it holds when a signal comes, `stop` may need.
        pool.submit(agent.run).result()
    return 0


def _ready(settings: Settings) -> int:
    from bastide.agent.http import get_local

    try:
        get_local(settings.listen, "/metrics")
    except (OSError, ValueError) as error:
        print(f"{settings.listen}: {error}")
        return 1
    return 0


def _drift(current: Path, record: Path) -> int:
    from bastide.agent.drift import look_for_drift

    try:
        look_for_drift(current, record)
    except (OSError, ValueError, KeyError) as error:
        print(f"{current}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
