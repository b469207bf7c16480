"""Probes: what must hold on the host once a generation runs.

In: a manifest. Out: nothing; raises Failure `probe` with the reason that a probe gave last.
"""

from __future__ import annotations

import time

from bastide.host.errors import Failure
from bastide.host.machine import Machine
from bastide.host.manifest import Manifest
from bastide.host.redact import Redactor
from bastide.host.stage import Tell

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5


def run_probes(machine: Machine, manifest: Manifest, tell: Tell, redact: Redactor) -> None:
    """Run each probe until it passes or its time is up. Raises Failure at the first that does not."""
    for probe in manifest["probes"]:
        began, pause = time.monotonic(), _FIRST_PAUSE_S
        while (done := machine.run(probe["argv"])).status != 0:
            if time.monotonic() + pause - began > probe["timeout_s"]:
                raise Failure(
                    "probe",
                    f"{probe['name']} did not hold within {probe['timeout_s']:g} s",
                    lines=redact(done.last_lines() or [f"exit status {done.status}"]),
                )
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 1.6)
        tell("probed", name=probe["name"], seconds=round(time.monotonic() - began, 3))


def try_probes(machine: Machine, manifest: Manifest, redact: Redactor) -> list[dict[str, object]]:
    """Run each probe once, all at the same time; what holds now, for a look at a host's health. `said`: the last line
    of one that does not."""
    from concurrent.futures import ThreadPoolExecutor  # 15 ms of imports that only this function needs

    with ThreadPoolExecutor(max_workers=8) as pool:
        done = list(pool.map(lambda probe: machine.run(probe["argv"]), manifest["probes"]))
    return [
        {
            "name": probe["name"], "product": probe["product"], "holds": result.status == 0,
            "said": "" if result.status == 0 else "".join(redact(result.last_lines(1))),
        }
        for probe, result in zip(manifest["probes"], done, strict=True)
    ]  # fmt: skip
