"""How many request lines the agent counts per second of CPU, and in how much memory.

In: a number of lines. Out: one figure a program, all on the same file: the agent's counting (with positions and
commits), and mtail and GoAccess where they are installed.
Measured in processes of their own, so that memory is theirs alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from bench.figure import Figure  # noqa: E402

LINES = 500_000
_COLUMNS = (
    "ended_s", "status", "method", "route", "request_s", "upstream_s", "bytes_sent", "client", "request_id",
    "uri", "connection_requests",
)  # fmt: skip
_MTAIL = r"""
counter requests by route, method, status
/^\S+\t(?P<status>\d+)\t(?P<method>\S+)\t(?P<route>\S+)\t/ {
  requests[$route][$method][$status]++
}
"""


_COUNT = f"""
import json, resource, sys
from pathlib import Path
from bastide.agent.ledger import Ledger
from bastide.agent.settings import Log
path, state = map(Path, sys.argv[1:])
log = Log(service="web", path=str(path), format="nginx", columns={_COLUMNS!r}, routes=("app", "/static/"))
begun = resource.getrusage(resource.RUSAGE_SELF)
ledger = Ledger(log, state)
for _ in ledger.blocks():
    pass
ended = resource.getrusage(resource.RUSAGE_SELF)
cpu_s = ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime
# Not ru_maxrss: after fork and exec it still holds the peak of the process that started this one.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({{"lines": ledger.committed["lines"], "cpu_s": cpu_s, "rss_bytes": int(peak.split()[1]) * 1024}}))
"""
"""The agent's counting, with its positions and commits."""


def write_log(path: Path, lines: int) -> None:
    """A log with the spread of statuses, routes, durations and sizes that a shop has."""
    with path.open("w") as stream:
        for i in range(lines):
            status = 200 if i % 50 else (404, 304, 302, 500)[i // 50 % 4]
            route = "/static/" if i % 3 == 0 else "app"
            took, size = (i * 7919) % (300 if i % 10 else 3000), 400 + (i * 31) % (20_000 if route == "app" else 40)
            stream.write(
                f"{1763640000 + i / 1000:.3f}\t{status}\t{'POST' if i % 20 == 0 else 'GET'}\t{route}\t0.{took % 1000:03d}"
                f"\t{f'0.{took % 1000:03d}' if route == 'app' else '-'}\t{size}\t198.18.0.{i % 250}\t{i:032x}"
                f"\t/products/{i % 5000}?page={i % 9}\t{i % 100 + 1}\n"
            )


def _measure(argv: list[str], lines: int) -> dict[str, float]:
    """CPU and peak memory of a program that ends by itself."""
    process = subprocess.Popen(
        argv, env={**os.environ, "LC_ALL": "C"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"{argv[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return {"lines": lines, "cpu_s": usage.ru_utime + usage.ru_stime, "rss_bytes": usage.ru_maxrss * 1024}


def compare(lines: int) -> dict[str, dict[str, float]]:
    """Figures by program."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "nginx-web.tsv")
        write_log(path, lines)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(
            # As on a host: the system's Python, with nothing loaded but what counts.
            ["/usr/bin/python3", "-S", "-c", _COUNT, str(path), folder],
            env=environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        found["agent"] = json.loads(done.stdout)
        if shutil.which("mtail"):
            program = Path(folder, "requests.mtail")
            program.write_text(_MTAIL)
            found["mtail"] = _measure(["mtail", "--one_shot", "--progs", str(program), "--logs", str(path)], lines)
        if shutil.which("goaccess"):
            report = str(Path(folder, "report.json"))
            # GoAccess knows no fractions of a second; it wants all three formats to take %x.
            form = [r"--log-format=%x.%^\t%s\t%m\t%^\t%T\t%^\t%b\t%h\t%^\t%U\t%^"]
            form += [f"--{part}-format=%s" for part in ("datetime", "date", "time")]
            found["goaccess"] = _measure(["goaccess", str(path), "--no-progress", "-o", report, *form], lines)
    return found


def measure() -> Iterator[Figure]:
    """The agent's rate and memory, and how much faster it is than what else counts logs here."""
    found = compare(LINES)
    rates = {name: figure["lines"] / figure["cpu_s"] for name, figure in found.items()}
    command = "python -m bench.counting"
    memory = found["agent"]["rss_bytes"] / 2**20
    yield Figure(name="counting: the agent", value=rates["agent"] / 1e6, unit="M lines/CPU s", command=command)
    yield Figure(name="counting: memory", value=memory, unit="MiB", command=command, at_most=20)
    for other, times in (("mtail", 3.0), ("goaccess", 8.0)):
        if other in rates:
            ratio = rates["agent"] / rates[other]
            yield Figure(name=f"counting: agent to {other}", value=ratio, unit="×", command=command, at_least=times)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    options = parser.parse_args()
    for name, figure in compare(options.lines).items():
        rate, memory = figure["lines"] / figure["cpu_s"], figure["rss_bytes"] / 2**20
        print(f"{name:10} {rate / 1e6:6.2f} M lines per CPU-second   {memory:6.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
