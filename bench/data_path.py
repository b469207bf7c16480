"""What end-to-end encryption costs, and the proof that every hop keeps its connections.

In: how often, how long. Out: figures. Two labs that differ only in `tls.inside` are asked alternately.
Fails where a hop opens connections for requests; the same count, with keeping switched off, must show it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from statistics import median

from bench import labs
from bench.figure import Figure
from bench.load import Run, load, wrk_line

VARIANTS = ("mtls", "plain")
WEB, APP = ("balancer-web",), ("balancer-web", "web-app")
"""Hops on the way to a file, and to the application."""
CONNECTIONS = 32
FEW = 5.0
"""Connections a thousand requests. A health check each second and a worker's first ones stay far below."""


def measure(rounds: int, seconds: float, *, keep_labs: bool = False) -> Iterator[Figure]:
    """Raise both labs, load them alternately, remove them."""
    try:
        for variant in VARIANTS:
            labs.write_spec(variant)
            _say(f"raising lab {variant}")
            labs.bring_up(variant)
        yield from _compare("1 kB file", "/static/1k.txt", WEB, rounds, seconds)
        yield from _compare("1 kB of an app that costs nothing", "/", APP, rounds, seconds, target=None)
        for variant in VARIANTS:
            labs.write_spec(variant, app="hello")
            labs.apply(variant)
        yield from _compare("1 kB of examples/hello", "/1k", APP, rounds, seconds)
        yield from _control(seconds)
    finally:
        if not keep_labs:
            for variant in VARIANTS:
                if labs.spec(variant).exists():
                    labs.destroy(variant)


def _compare(
    name: str, path: str, hops: Sequence[str], rounds: int, seconds: float, *, target: float | None = 0.8
) -> Iterator[Figure]:
    command = f"bastide exec client -- {wrk_line(path, connections=CONNECTIONS, seconds=seconds)}"
    for variant in VARIANTS:
        load(variant, path, connections=CONNECTIONS, seconds=1)
    runs: dict[str, list[Run]] = {variant: [] for variant in VARIANTS}
    for number in range(rounds):
        # A B B A: neither is always the first to meet whatever else the computer does.
        for variant in VARIANTS if number % 2 == 0 else reversed(VARIANTS):
            _say(f"{name}, {variant}, round {number + 1} of {rounds}")
            runs[variant].append(load(variant, path, connections=CONNECTIONS, seconds=seconds))
    speed = {variant: median(run.per_second for run in done) for variant, done in runs.items()}
    ratio = median(a.per_second / b.per_second for a, b in zip(runs["mtls"], runs["plain"], strict=True))
    for variant in VARIANTS:
        done = runs[variant]
        yield Figure(name=f"{name}, {variant} inside", value=speed[variant], unit="requests/s", command=command)
        yield Figure(name="  p50", value=median(r.p50_ms for r in done), unit="ms", command=command)
        yield Figure(name="  p99", value=median(r.p99_ms for r in done), unit="ms", command=command)
        for host in ("lb1", "web1", "app1"):
            each = median(run.cpu_us[host] for run in done)
            yield Figure(name=f"  processor on {host}", value=each, unit="µs/request", command=command)
    yield Figure(name=f"{name}, mtls to plain", value=ratio, unit="×", at_least=target, command=command)
    in_all = {v: median(sum(run.cpu_us.values()) for run in done) for v, done in runs.items()}
    yield Figure(
        name="  processor of all hosts, mtls to plain",
        value=in_all["mtls"] / in_all["plain"],
        unit="×",
        # The same aim, told by a figure that does not depend on what else the computer does.
        at_most=None if target is None else 1 / target,
        command=command,
    )
    for variant in VARIANTS:
        errors = sum(run.errors for run in runs[variant])
        yield Figure(
            name=f"  errors, {variant}", value=errors, unit="requests", at_most=0, proof=True, command=command
        )
        for hop in hops:
            opened = max(run.opened_per_thousand(hop) for run in runs[variant])
            label = f"  {hop}, {variant}: new connections"
            yield Figure(
                name=label, value=opened, unit="per 1,000", at_most=FEW, proof=True,
                command=f"nft list chain inet bastide input (on {labs.HOPS[hop]})",
            )  # fmt: skip


def _control(seconds: float) -> Iterator[Figure]:
    """Keeping switched off on one hop: count and speed must show it, or the proof above proves nothing."""
    path, hop = "/static/1k.txt", WEB[0]
    command = "the same, with web.snippets.server: keepalive_timeout 0;"
    kept = load("mtls", path, connections=CONNECTIONS, seconds=seconds)
    labs.write_spec("mtls", app="hello", keep=False)
    _say("negative control: connections are not kept")
    labs.apply("mtls")
    lost = load("mtls", path, connections=CONNECTIONS, seconds=seconds)
    labs.write_spec("mtls", app="hello")
    labs.apply("mtls")
    yield Figure(
        name="not kept: new connections", value=lost.opened_per_thousand(hop), unit="per 1,000", at_least=500,
        proof=True, command=command,
    )  # fmt: skip
    yield Figure(name="  requests/s", value=lost.per_second, unit="requests/s", command=command)
    yield Figure(
        name="  kept to not kept", value=kept.per_second / lost.per_second, unit="×", at_least=2, command=command
    )


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
