"""What a look at a host's health says of a probe that does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from bastide.host.machine import Finished, Machine
from bastide.host.manifest import Manifest
from bastide.host.probe import try_probes


def run(argv: Sequence[str]) -> Finished:
    if argv[0] == "bad":
        return Finished(tuple(argv), 1, "first\nno entry with hunter2hunter2\n")
    return Finished(tuple(argv), 0, "fine\n")


def test_the_last_line_is_told_without_what_is_secret() -> None:
    probes: list[dict[str, Any]] = [
        {"name": name, "product": "one", "argv": [name], "timeout_s": 1.0} for name in ("good", "bad")
    ]

    def redact(lines: Sequence[str]) -> list[str]:
        return [line.replace("hunter2hunter2", "[secret]") for line in lines]

    good, bad = try_probes(Machine(root=Path("/"), run=run), cast("Manifest", {"probes": probes}), redact)
    assert (good["holds"], good["said"]) == (True, "")
    assert (bad["holds"], bad["said"]) == (False, "no entry with [secret]")
