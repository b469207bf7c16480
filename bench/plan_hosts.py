"""A plan for a large site against recorded observations: `python -m bench.plan_hosts 1000 plan FILE`.

`record` writes what each host would answer to an observation, one line a host, with the old contents of what differs;
`plan` compiles a spec with one setting changed, reads the answers as they would come in, and shows the differences.
`sample` compiles and compares a hundred hosts of a site that has more than one would wait for.
Out: CPU-seconds, peak resident memory and changes as JSON. Holds: hosts are streamed: one bundle and one answer at a
time are in memory, and the text of each group of hosts that change alike.
"""

from __future__ import annotations

import base64
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from bastide.bundle.assemble import assemble_bundle
from bastide.bundle.compile import compile_each
from bastide.plan.diff import diff_host
from bastide.plan.facts import read_facts
from bastide.plan.text import PlanView, format_plan
from bastide.products.context import HostContext
from bastide.products.registry import render_host
from bastide.spec.model import Spec
from bastide.topology.resolve import resolve_topology
from bench.compile_hosts import layout
from tests.unit.materials import fake_materials
from tests.unit.plan.observed import answer_of
from tests.unit.specs import make_spec


def site(hosts: int, size: str) -> Spec:
    """The large site; `size` is the setting that changes, on all web servers."""
    return make_spec(layout(hosts), web={"static": {"/static/": "./static"}, "max_body_size": size})


def record(hosts: int, file: Path) -> None:
    """What hosts that have the site with 10M say when they are asked about the one with 50M."""
    before, after = site(hosts, "10M"), site(hosts, "50M")
    topology = resolve_topology(before)
    materials = fake_materials(before, topology)
    have, wanted = compile_each(before, topology, materials), compile_each(after, topology, materials)
    with file.open("w") as lines:
        for (_, old), (_, new) in zip(have, wanted, strict=True):
            answer = answer_of(old, new)
            contents = {f.path: f.content for f in old.files if f.path in answer["differing"] and not f.secret}
            encoded = {path: base64.b64encode(content).decode() for path, content in contents.items()}
            lines.write(json.dumps({"answer": answer, "old": encoded}) + "\n")


def plan(hosts: int, file: Path) -> dict[str, float]:
    """Compile, compare, show."""
    began = time.process_time()
    spec = site(hosts, "50M")
    topology = resolve_topology(spec)
    changes, groups = 0, set()
    with file.open() as lines:
        for (name, bundle), line in zip(
            compile_each(spec, topology, fake_materials(spec, topology)), lines, strict=True
        ):
            seen = json.loads(line)
            found = diff_host(bundle, read_facts(name, seen["answer"], bundle.manifest))  # type: ignore[arg-type]
            if found.changes:
                changes += found.changes
                old = {name: {path: base64.b64decode(text) for path, text in seen["old"].items()}}
                shown = format_plan(PlanView(plans=[found], bundles={name: bundle}, old=old))
                groups.add(shown.partition("\n")[2])
    return {
        "hosts": hosts,
        "changes": changes,
        "groups": len(groups),
        "cpu_s": round(time.process_time() - began, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def sample(hosts: int, of: int = 100) -> dict[str, float]:
    """Every so many-th host of a site with three monitors: what each costs. What is derived once is in it, too."""
    spec = make_spec(layout(hosts), web={"static": {"/static/": "./static"}})
    topology = resolve_topology(spec)
    materials = fake_materials(spec, topology)
    derived: dict[object, Any] = {}
    names = list(topology.hosts)[:: max(1, hosts // of)]
    compiled_s = compared_s = 0.0
    for name in names:
        began = time.process_time()
        context = HostContext(
            spec=spec, topology=topology, materials=materials, host=topology.hosts[name], derived=derived
        )
        bundle = assemble_bundle(name, render_host(context))
        answer, compiled = answer_of(bundle, bundle), time.process_time()
        assert not diff_host(bundle, read_facts(name, answer, bundle.manifest)).changes  # type: ignore[arg-type]
        compiled_s, compared_s = compiled_s + compiled - began, compared_s + time.process_time() - compiled
    return {
        "hosts": hosts,
        "sampled": len(names),
        "compile_ms_a_host": round(compiled_s / len(names) * 1000, 1),
        "compare_ms_a_host": round(compared_s / len(names) * 1000, 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


if __name__ == "__main__":
    count, what, where = int(sys.argv[1]), sys.argv[2], Path(*sys.argv[3:])
    if what == "sample":
        print(json.dumps(sample(count)))
    elif what == "record":
        record(count, where)
    else:
        print(json.dumps(plan(count, where)))
