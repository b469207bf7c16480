"""`hub.pyz serve|check|ready|state|token|logs|events SETTINGS [WORDS]`, and `search FOLDER` for the hub itself.

serve: the daemon. check: settings can be read. ready: does it answer? state, token,
logs, events: what root asks it. Exit status 0; 1 where the answer is no; 2 for bad usage or settings.
"""

from __future__ import annotations

import sys
from pathlib import Path

VERBS = ("serve", "check", "ready", "state", "token", "logs", "events", "alerts")


def main(arguments: list[str]) -> int:
    """Entry point."""
    if len(arguments) == 2 and arguments[0] == "search":
        from bastide.hub.searching import search_process

        return search_process(Path(arguments[1]))
    if len(arguments) < 2 or arguments[0] not in VERBS:
        print(f"usage: hub {'|'.join(VERBS)} SETTINGS [WORDS]", file=sys.stderr)
        return 2
    verb, path, *words = arguments
    from bastide.hub.settings import load_settings

    try:
        settings = load_settings(Path(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"hub: {path}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if verb == "check":
        return 0
    if verb == "serve":
        from bastide.hub.serve import run_hub

        return run_hub(settings)
    from bastide.hub.ask import main_ask

    return main_ask(settings.admin_socket, verb, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
