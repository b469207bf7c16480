"""How long the demo shop takes: raised from nothing, applied again, applied with one file changed.

In: how often; whether the image of the machines is to be built too. Out: figures, with where the time went.
Works on a copy of examples/shop, so that the lab is nobody else's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bastide.lab.image import ensure_image
from bastide.lab.packages import DEFAULT_PACKAGES
from bastide.project.opening import open_project
from bench.figure import Figure
from bench.tool import ROOT, ToolFailed, argv, bastide, environment

SHOP = ROOT / "bench/.labs/shop"
SPEC = SHOP / "bastide.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """One run of a verb."""

    seconds: float
    steps: Mapping[str, float]
    hosts: Mapping[str, float]
    """Activation of each host that changed."""


def measure(rounds: int, *, cold: bool = False, keep_lab: bool = False) -> Iterator[Figure]:
    """up, up again from nothing but with its releases built, apply without and with a change."""
    if cold:
        yield _image()
    shutil.copytree(ROOT / "examples/shop", SHOP, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".bastide"))
    try:
        if (SHOP / ".bastide").exists():
            bastide("destroy", "-f", str(SPEC), "--yes", "--progress", "quiet")
        first = _run("up")
        yield from _up("shop up, image there, releases to be built", first, target=None)
        again = []
        for _ in range(rounds):
            _remove_machines()
            again.append(_run("up"))
        again.sort(key=lambda run: run.seconds)
        yield from _up("shop up, image and releases there", again[len(again) // 2], target=20)
        yield from _applies(rounds)
    finally:
        if not keep_lab:
            bastide("destroy", "-f", str(SPEC), "--yes", "--progress", "quiet")


def _up(name: str, run: Timed, *, target: float | None) -> Iterator[Figure]:
    command = "bastide up -f examples/shop/bastide.yaml"
    yield Figure(name=name, value=run.seconds, unit="s", at_most=target, command=command)
    for step, seconds in run.steps.items():
        yield Figure(name=f"  {step}", value=seconds, unit="s", command=command)
    for host, seconds in run.hosts.items():
        yield Figure(name=f"    {host}", value=seconds, unit="s", command=command)


def _image() -> Figure:
    """The image of the machines, built anew beside the one that is there."""
    with TemporaryDirectory(dir="/var/cache", prefix="bastide-bench-") as folder:
        began = time.monotonic()
        ensure_image(DEFAULT_PACKAGES, lambda _: None, images=Path(folder) / "images")
        seconds = time.monotonic() - began
    return Figure(name="image of the machines, from packages", value=seconds, unit="s", command="bastide up")


def _applies(rounds: int) -> Iterator[Figure]:
    command = "bastide apply -f examples/shop/bastide.yaml"
    text = SPEC.read_text()
    nothing, changed = [], []
    for number in range(rounds):
        nothing.append(_run("apply").seconds)
        # A setting of both web servers' nginx.
        SPEC.write_text(text.replace("\nweb:\n", f"\nweb:\n  static_expires: {number + 100}s\n"))
        changed.append(_run("apply").seconds)
    yield Figure(name="apply, nothing to change, nine hosts", value=median(nothing), unit="s", command=command)
    yield Figure(name="apply, one file on two web servers", value=median(changed), unit="s", command=command)


def _run(verb: str) -> Timed:
    began = time.monotonic()
    done = subprocess.run(
        argv(verb, "-f", str(SPEC), "--progress", "plain"),
        env=environment(), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    seconds = time.monotonic() - began
    if done.returncode:
        raise ToolFailed(done.stderr[-3000:])
    return Timed(
        seconds=seconds,
        steps={m[1]: float(m[2]) for m in re.finditer(r"^✓ (.+?)  ([\d.]+) s$", done.stderr, re.MULTILINE)},
        hosts={
            m[1]: float(m[2])
            for m in re.finditer(r"^  (\S+) done: \d+ changes in ([\d.]+) s$", done.stderr, re.MULTILINE)
        },
    )


def _remove_machines() -> None:
    """The machines alone: keys and built releases stay."""
    bastide("destroy", "--lab", open_project(SPEC).lab_name, "--yes", "--progress", "quiet")
