"""`make bench`: figures of this checkout on this computer, as one table.

    python bench/run.py                    everything (root: it raises labs)
    python bench/run.py compile audit help without labs
    python bench/run.py path --rounds 8    one part, more rounds

Exit code 1 when a proof fails; an aim that a busy computer missed is only said.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench import (  # noqa: E402
    applying,
    auditing,
    command_line,
    compiling,
    counting,
    dashboard,
    data_path,
    monitoring,
    planning,
    raising,
    takeovers,
    verify,
)
from bench.figure import Figure, print_table, to_json  # noqa: E402

_PARTS = (
    "compile", "audit", "help", "count", "up", "apply", "plan", "verify", "path", "monitoring", "dashboard", "takeover",
)  # fmt: skip


def main() -> int:
    """Measure what was asked for."""
    options = _options()
    parts: Mapping[str, Callable[[], Iterable[Figure]]] = {
        "compile": lambda: compiling.measure(options.rounds),
        "audit": lambda: auditing.measure(options.rounds),
        "help": lambda: command_line.measure(max(20, options.rounds)),
        "count": counting.measure,
        "up": lambda: raising.measure(options.rounds, cold=options.cold),
        "apply": lambda: applying.measure(options.rounds, with_peers=not options.alone, hosts=options.hosts),
        "plan": lambda: planning.measure(options.sizes),
        "verify": verify.measure,
        "monitoring": monitoring.measure,
        "dashboard": dashboard.measure,
        "takeover": lambda: takeovers.measure(options.rounds),
        "path": lambda: data_path.measure(options.rounds, options.seconds),
    }
    figures: list[Figure] = []
    for part in options.parts or parts:
        print(f"measuring: {part}", file=sys.stderr, flush=True)
        figures += parts[part]()
    print(
        json.dumps({"version": 1, "figures": to_json(figures)}, indent=2) if options.json else print_table(figures)
    )
    return 1 if any(figure.proof and not figure.met for figure in figures) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure Bastide.")
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], metavar="PART")
    parser.add_argument("--rounds", type=int, default=3, help="Runs of each figure; medians are reported.")
    parser.add_argument("--seconds", type=int, default=4, help="Length of a load.")
    parser.add_argument("--cold", action="store_true", help="Also build the image of the machines from nothing.")
    parser.add_argument("--alone", action="store_true", help="Leave out other tools, which take minutes.")
    parser.add_argument("--hosts", type=int, choices=(1, 3, 9, 27), default=9, help="How many the apply is to.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[250, 1000], help="Hosts of the large plans.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
