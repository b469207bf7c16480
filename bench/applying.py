"""What an apply costs on the nine hosts of `resilient`, or on another number, beside the floor and other tools, in one run.

In: how often; which other tools. Out: figures. Each round asks all of them in turn, so that a busy moment meets them
all; what counts are ratios inside the run. Seconds are of whole processes, from the command line to its end;
CPU-seconds are of the hosts' own control groups, less what they take in the same time when nobody applies.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median

from bastide.bundle.model import HostBundle
from bastide.project.desired import derive_desired
from bastide.project.opening import open_project
from bastide.project.target import Target, choose_target
from bastide.transport.endpoint import Endpoint, ssh_argv
from bastide.transport.ssh import close_kept_connection
from bench import peers as others
from bench.figure import Figure
from bench.floor import hash_everywhere
from bench.tool import ROOT, bastide

FOLDER = ROOT / "bench/.labs/applying"
SPEC = FOLDER / "bastide.yaml"
SHOP = 9
"""Hosts of the shop; other numbers are of a layout without databases, which any number fits."""
SIZES = (1, 3, 9)
"""Of how many of the hosts an apply is measured beside that of all."""
_APPLY = "bastide apply -f examples/shop/bastide.yaml"
_OTHER = """\
name: applying
domains: [bench.test]
hosts:
HOSTS
web:
  static: {/static/: ../../site/static}
app: {kind: command, path: ../../site/app, command: [sh, serve.sh], processes: 1}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Of one run."""

    seconds: float
    cpu_s: float
    """On the hosts."""


@dataclass(kw_only=True)
class Bench:
    """The lab and what is asked of it."""

    target: Target
    bundles: Mapping[str, HostBundle]
    idle: float = 0.0
    """CPU-seconds a second that the hosts take when nobody applies."""
    costs: dict[str, list[Cost]] = field(default_factory=dict)

    def measured(self, name: str, work: Callable[[], object]) -> None:
        """Run it, and remember what it cost."""
        before, began = self.cpu_s(), time.monotonic()
        work()
        seconds = time.monotonic() - began
        took = self.cpu_s() - before
        self.costs.setdefault(name, []).append(Cost(seconds=seconds, cpu_s=max(0.0, took - self.idle * seconds)))

    def cpu_s(self) -> float:
        """Of all hosts, until now."""
        with ThreadPoolExecutor(max_workers=16) as pool:
            return sum(pool.map(_cpu_s, self.target.endpoints.values()))

    def cold(self) -> None:
        """Nobody keeps a connection."""
        for endpoint in self.target.endpoints.values():
            close_kept_connection(endpoint)

    def seconds(self, name: str) -> float:
        """Median."""
        return median(cost.seconds for cost in self.costs[name])


def measure(rounds: int, *, with_peers: bool = True, hosts: int = SHOP, keep_lab: bool = False) -> Iterator[Figure]:
    """Raise the lab, ask everyone in turn, remove the lab."""
    if hosts != SHOP:
        FOLDER.mkdir(parents=True, exist_ok=True)
        SPEC.write_text(other_spec(hosts))
    else:
        shutil.copytree(
            ROOT / "examples/shop", FOLDER, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".bastide")
        )
    text = SPEC.read_text()
    try:
        bastide("up", "-f", str(SPEC), "--progress", "quiet")
        bench = _bench()
        tools = _peers(bench) if with_peers else ()
        for number in range(rounds):
            _round(bench, number, text, tools)
        yield from _figures(bench, [tool.name for tool in tools])
    finally:
        SPEC.write_text(text)
        if not keep_lab:
            bastide("destroy", "-f", str(SPEC), "--progress", "quiet", "--yes")


def other_spec(hosts: int) -> str:
    """Of that many hosts: everything on one, or as many web servers as application hosts behind one or two balancers."""
    balancers = 1 if hosts < 6 else 2
    webs = (hosts - balancers) // 2
    tiers = {"balancer": balancers, "web": webs, "app": hosts - balancers - webs}
    short = {"balancer": "lb", "web": "web", "app": "app"}
    lines = [f"  {short[r]}{n}: {{roles: [{r}]}}" for r, count in tiers.items() for n in range(1, count + 1)]
    return _OTHER.replace("HOSTS", "  all1: {roles: [balancer, web, app]}" if hosts == 1 else "\n".join(lines))


def _bench() -> Bench:
    target = choose_target(open_project(SPEC), "lab")
    desired = derive_desired(target, now=datetime.now(UTC), environ=os.environ, on_progress=lambda _: None)
    bench = Bench(target=target, bundles=desired.bundles)
    before = bench.cpu_s()
    time.sleep(5)
    bench.idle = (bench.cpu_s() - before) / 5
    return bench


def _peers(bench: Bench) -> tuple[others.Peer, ...]:
    _say("installing the other tools")
    programs = others.install(FOLDER / "peers")
    project = FOLDER / "peers/project"
    others.write_project(project, bench.target.endpoints, bench.bundles)
    tools = others.peers(project, programs)
    # One of them brings the hosts to what all three describe; then each finds nothing to do, as the next lines show.
    first = next(tool for tool in tools if tool.name == others.FIRST)
    _say(f"first run, of {first.name}")
    bench.measured(f"{first.name} first", first.run)
    return tools


def _round(bench: Bench, number: int, text: str, tools: Sequence[others.Peer]) -> None:
    _say(f"round {number + 1}")
    endpoints = bench.target.endpoints
    files = {host: [f.path for f in bench.bundles[host].files] for host in endpoints}
    bench.measured("floor cold", lambda: hash_everywhere(endpoints, files, fresh=True))
    bench.cold()
    bench.measured("no-op cold", _apply)
    bench.measured("floor", lambda: hash_everywhere(endpoints, files, fresh=False))
    bench.measured("no-op", _apply)
    for size in _sizes(bench):
        only = [word for host in list(endpoints)[:size] for word in ("--only", host)]
        bench.measured(f"no-op {size}", lambda only=only: _apply(*only))  # type: ignore[misc]
    SPEC.write_text(f"{text}\nfirewall: {{log_per_minute: {61 + number}}}\n")
    bench.measured("one file", _apply)
    for tool in tools:
        _say(f"nothing to do, {tool.name}")
        bench.measured(f"{tool.name} no-op", tool.run)
    for place, tool in enumerate(tools):
        for host, bundle in bench.bundles.items():
            others.change_one_file(FOLDER / "peers/project", host, bundle, number * len(tools) + place)
        _say(f"one file everywhere, {tool.name}")
        bench.measured(f"{tool.name} one file", tool.run)


def _figures(bench: Bench, tools: Sequence[str]) -> Iterator[Figure]:
    for name, floor, target in (
        ("no-op cold", "floor cold", 2.0), ("no-op", "floor", None), ("one file", "floor cold", 4.0),
    ):  # fmt: skip
        yield _figure(bench, f"apply: {name}, {len(bench.target.endpoints)} hosts", name)
        ratio = median(
            mine.seconds / theirs.seconds
            for mine, theirs in zip(bench.costs[name], bench.costs[floor], strict=True)
        )
        yield Figure(name=f"  to the {floor}", value=ratio, unit="×", at_most=target, command=_APPLY)
        yield _cpu(bench, name)
    for name in ("floor cold", "floor"):
        yield _figure(bench, f"{name}: sha256sum of the same files", name, "ssh HOST sha256sum …")
        yield _cpu(bench, name)
    for size in _sizes(bench):
        yield _figure(bench, f"apply: no-op, {size} of the hosts", f"no-op {size}", f"{_APPLY} --only …")
    for tool in tools:
        for what in (*(("first",) if tool == others.FIRST else ()), "no-op", "one file"):
            yield _figure(bench, f"{tool}: {what}", f"{tool} {what}", "python bench/run.py apply")
            yield _cpu(bench, f"{tool} {what}")
        yield _times(bench, tool, "no-op", 60 if tool == "Ansible" else 10)
        yield _times(bench, tool, "one file", None)


def _sizes(bench: Bench) -> tuple[int, ...]:
    return tuple(size for size in SIZES if size < len(bench.target.endpoints))


def _times(bench: Bench, tool: str, what: str, at_least: float | None) -> Figure:
    value = bench.seconds(f"{tool} {what}") / bench.seconds(what)
    return Figure(name=f"  to ours, {what}", value=value, unit="×", at_least=at_least, command=_APPLY)


def _figure(bench: Bench, label: str, name: str, command: str = _APPLY) -> Figure:
    return Figure(name=label, value=bench.seconds(name), unit="s", command=command)


def _cpu(bench: Bench, name: str) -> Figure:
    value = median(cost.cpu_s for cost in bench.costs[name])
    return Figure(name="  processor of all hosts", value=value, unit="CPU s", command=_APPLY)


def _apply(*words: str) -> None:
    bastide("apply", "-f", str(SPEC), "--progress", "quiet", "--yes", *words)


def _cpu_s(endpoint: Endpoint) -> float:
    argv = [*ssh_argv(endpoint), "grep usage_usec /sys/fs/cgroup/cpu.stat"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return int(done.stdout.split()[1]) / 1e6


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
