"""One audit in a process of its own: `python -m bench.audit_hosts 1000` prints seconds as JSON.

In: a number of hosts. Out: CPU seconds of judging, with cut sets of order 2 and availability; how many there are. Two
layouts: tiers on hosts of their own, and the worst for sharing, every role on every host.
"""

from __future__ import annotations

import json
import sys
import time

from bastide.audit.judge import judge
from bastide.audit.rule import Subject
from bastide.topology.resolve import resolve_topology
from bench.compile_hosts import layout
from tests.unit.specs import make_spec

ROLES = ("balancer", "web", "app", "database", "monitor")


def main(hosts: int) -> None:
    """Judge both layouts."""
    found: dict[str, object] = {"hosts": hosts}
    for name, roles in (
        ("tiers", layout(hosts)),
        ("alike", {f"server{number}": list(ROLES) for number in range(hosts)}),
    ):
        spec = make_spec(roles)
        began = time.process_time()
        topology = resolve_topology(spec)
        report = judge(Subject(spec=spec, topology=topology, on_servers=True, today="2026-11-20"))
        found[f"{name}_s"] = time.process_time() - began
        found[f"{name}_cuts"] = len(report.cuts)
        found[f"{name}_findings"] = len(report.findings)
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
