"""One compilation in a process of its own: `python -m bench.compile_hosts 1000` prints seconds and memory as JSON.

In: a number of hosts. Out: seconds of topology, of compiling, of digests; peak resident memory of the process.
Materials are fixed test ones: key pairs are made once in an infrastructure's life, the compiler runs at every plan.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Mapping, Sequence

from bastide.bundle.compile import compile_bundles
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials
from tests.unit.specs import make_spec


def layout(hosts: int, *, monitors: int = 3) -> Mapping[str, Sequence[str]]:
    """Roles of a large site: 40 % web, 5 databases, a pair of balancers, some monitors, and application hosts.

    A monitor's files name every host, so a site whose monitors grew with it would have a square of hosts to write.
    """
    web = hosts * 2 // 5
    counts = {"balancer": 2, "web": web, "app": hosts - web - 7 - monitors, "database": 5, "monitor": monitors}
    return {f"{role}{i}": [role] for role, count in counts.items() for i in range(1, count + 1)}


def main(hosts: int) -> None:
    spec = make_spec(layout(hosts), web={"static": {"/static/": "./static"}})
    began = time.process_time()
    topology = resolve_topology(spec)
    materials = fake_materials(spec, topology)
    resolved = time.process_time()
    bundles = compile_bundles(spec, topology, materials)
    compiled = time.process_time()
    digests = {bundle.digest for bundle in bundles.values()}
    done = time.process_time()
    assert len(digests) == hosts
    print(
        json.dumps(
            {
                "hosts": hosts,
                "topology_s": resolved - began,
                "compile_s": compiled - resolved,
                "digest_s": done - compiled,
                "total_s": done - began,
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "files": sum(len(bundle.files) for bundle in bundles.values()),
                "content_mb": sum(len(f.content) for b in bundles.values() for f in b.files) / 1e6,
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
