"""What monitoring costs a host that does nothing, beside netdata on the same host in the same seconds.

In: a lab of four hosts, raised here. Out: figures: processor and memory of all monitoring on a host; netdata's
processor at the same freshness of one second; seconds from a request to its pixel in a browser.
Memory, by page frames: those that only monitoring's processes have, which would be free again without it; beside it
those that it shares with other programs of the host (libc, OpenSSL, Python), each page once.
netdata: Debian's `netdata-core` alone (no plugins of other packages) with the libraries that it wants, fetched with
`apt-get download`, unpacked on the host and run with one second between updates, which it must show to have done.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bastide.project.opening import open_project
from bastide.project.target import choose_target
from bastide.transport.endpoint import ssh_argv
from bench.figure import Figure
from bench.tool import ROOT, bastide, bastide_json

SPEC = ROOT / "bench/.labs/monitored/bastide.yaml"
HOSTS = ("web1", "db1")
SETTLE_S = 30
WATCH_S = 120
DRIFT_EVERY_S = 300
"""How often files are compared: a unit that has ended by the time its cgroup could be asked."""
PIXEL_S = 2.0
_TEXT = """\
# Written by bench/monitoring.py.
name: monitored
domains: [monitored.test]
hosts:
  lb1: {{roles: [balancer]}}
  web1: {{roles: [web, app]}}
  db1: {{roles: [database]}}
  monitor1: {{roles: [monitor]}}
balancer:
  rate_limit: {{requests: 100000000, connections: 5000, handshakes: 1000000}}
web:
  static: {{/static/: {shop}/static}}
app:
  kind: wsgi
  path: {shop}/app
  entry: shop:app
  requirements: requirements.txt
  migrate: [python3, -m, shop.migrate]
  secrets:
    SECRET_KEY: {{generate: 48}}
database:
  mode: single
  name: shop
  user: shop
"""
_UNITS = (
    "bastide-agent bastide-agent-firewall vmagent prometheus-node-exporter prometheus-mysqld-exporter "
    "prometheus-blackbox-exporter"
)
_CPU = """
cd /sys/fs/cgroup/system.slice
total=0
for unit in UNITS; do
  [ -f $unit.service/cpu.stat ] || continue
  spent=$(awk '$1 == "usage_usec" { print $2 }' $unit.service/cpu.stat)
  total=$((total + spent))
done
echo $total
"""
_DRIFT = "systemctl show --value -p CPUUsageNSec bastide-agent-drift.service | grep -x '[0-9]*' || true"
_MEMORY = f"""
import array, os, re
PAGE = os.sysconf("SC_PAGESIZE")
PRESENT, FRAME = 1 << 63, (1 << 55) - 1
def frames(pid):
    found = set()
    try:
        with open(f"/proc/{{pid}}/maps") as maps, open(f"/proc/{{pid}}/pagemap", "rb", buffering=0) as pagemap:
            for line in maps:
                begin, end = (int(word, 16) // PAGE for word in line.split(" ", 1)[0].split("-"))
                if "[v" in line:
                    continue
                pagemap.seek(begin * 8)
                entries = array.array("Q")
                entries.frombytes(pagemap.read((end - begin) * 8))
                found.update(entry & FRAME for entry in entries if entry & PRESENT)
    except (OSError, ValueError):
        pass
    return found
ours = set()
for unit in {_UNITS.split()!r}:
    try:
        ours.update(open(f"/sys/fs/cgroup/system.slice/{{unit}}.service/cgroup.procs").read().split())
    except OSError:
        pass
used, others = set(), set()
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) != os.getpid():
        (used if pid in ours else others).update(frames(pid))
assert used - {{0}}, "the kernel does not say which pages are whose"
print(len(used - others) * PAGE, len(used) * PAGE)
"""
_NETDATA = """
mkdir -p /opt/netdata/web /opt/netdata/etc /opt/netdata/cache /opt/netdata/lib /opt/netdata/log
cat >/opt/netdata/etc/netdata.conf <<'END'
[global]
    run as user = root
[directories]
    home = /opt/netdata/lib
    config = /opt/netdata/etc
    stock config = /opt/netdata/unpacked/usr/lib/netdata/conf.d
    cache = /opt/netdata/cache
    lib = /opt/netdata/lib
    log = /opt/netdata/log
    plugins = /opt/netdata/unpacked/usr/lib/netdata/plugins.d
    web = /opt/netdata/web
[db]
    mode = ram
    update every = 1
[web]
    bind to = 127.0.0.1
END
for package in /opt/netdata/*.deb; do dpkg -x "$package" /opt/netdata/unpacked; done
systemd-run --quiet --unit netdata --setenv LD_LIBRARY_PATH=/opt/netdata/unpacked/usr/lib/x86_64-linux-gnu \\
    /opt/netdata/unpacked/usr/sbin/netdata -D -c /opt/netdata/etc/netdata.conf
"""


_PACKAGES = ("netdata-core", "libuv1", "libjson-c5", "libnetfilter-acct1", "libmnl0")
_FRESH = "curl -s -m 5 'http://127.0.0.1:19999/api/v1/data?chart=system.cpu&after=-10&points=10&format=csv' | grep -c ^20"
"""Seconds of the last ten of which netdata has a value."""


def measure() -> Iterator[Figure]:
    """All of it; the lab is removed afterwards."""
    SPEC.parent.mkdir(parents=True, exist_ok=True)
    SPEC.write_text(_TEXT.format(shop=os.path.relpath(ROOT / "examples/shop", SPEC.parent)))
    try:
        bastide("up", "-f", str(SPEC), "--progress", "quiet")
        beside = _start_netdata("web1")
        time.sleep(SETTLE_S)
        yield from _idle(beside)
        if beside:
            _run("web1", "systemctl stop netdata")
        yield from _pixel()
    finally:
        bastide("destroy", "-f", str(SPEC), "--progress", "quiet", "--yes")


def _idle(beside: bool) -> Iterator[Figure]:
    command = "bench/run.py monitoring"
    before, begun = {host: _cpu_us(host) for host in HOSTS}, time.monotonic()
    rival = _cpu_us("web1", "netdata") if beside else 0
    time.sleep(WATCH_S)
    theirs = (_cpu_us("web1", "netdata") - rival) / (time.monotonic() - begun) / 1e4 if beside else 0.0
    share = {host: (_cpu_us(host) - before[host]) / (time.monotonic() - begun) / 1e4 for host in HOSTS}
    drift = {host: int(_run(host, _DRIFT).strip() or 0) / DRIFT_EVERY_S / 1e7 for host in HOSTS}
    for host in HOSTS:
        own, whole = (int(word) / 1e6 for word in _run(host, f"python3 - <<'END'\n{_MEMORY}\nEND").split())
        name = f"idle {host}: all monitoring"
        yield Figure(name=name, value=share[host] + drift[host], unit="% of a core", command=command, at_most=1.0)
        yield Figure(name=f"{name}, memory", value=own, unit="MB", command=command, at_most=70)
        yield Figure(name=f"{name}, with shared pages", value=whole, unit="MB", command=command)
    if beside:
        yield Figure(name="idle web1: netdata-core, each second", value=theirs, unit="% of a core", command=command)
        ratio = (share["web1"] + drift["web1"]) / theirs
        yield Figure(name="idle web1: ours to netdata", value=ratio, unit="×", command=command, at_most=1.0)


def _pixel() -> Iterator[Figure]:
    """From a burst of requests until the page shows another rate."""
    from playwright.sync_api import sync_playwright

    made = bastide_json("dashboard", "-f", str(SPEC))
    took = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        _trust(Path(made["ca"]), Path(home))
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu"],
            env={**os.environ, "HOME": home},
        )
        # Playwright waits by evaluating text, which the page itself rightly forbids.
        page = browser.new_page(bypass_csp=True)
        page.goto(made["url"])
        page.wait_for_selector("#app:not([hidden])")
        quiet = "parseFloat(document.querySelector('#figure-rate dd').textContent) < 2"
        for _ in range(7):
            page.wait_for_function(quiet, timeout=60_000)
            # The client tells when its first request went out: starting a shell there is not the way to a pixel.
            sent = float(_run("client", _BURST))
            page.wait_for_function(f"!({quiet})", polling="raf", timeout=30_000)
            took.append(time.time() - sent)
        browser.close()
    yield Figure(
        name="from request to pixel", value=statistics.median(took), unit="s",
        command="bench/run.py monitoring", at_most=PIXEL_S,
    )  # fmt: skip
    yield Figure(
        name="from request to pixel, slowest", value=max(took), unit="s", command="bench/run.py monitoring"
    )


_BURST = """
date +%s.%N
for i in $(seq 60); do echo url=https://monitored.test/static/; done | curl -s -o /dev/null -K - >/dev/null
"""


def _trust(root: Path, home: Path) -> None:
    store = home / ".pki/nssdb"
    store.mkdir(parents=True)
    for words in (("-N", "--empty-password"), ("-A", "-t", "C,,", "-n", "root", "-i", str(root))):
        subprocess.run(["certutil", "-d", f"sql:{store}", *words], check=True)


def _start_netdata(host: str) -> bool:
    """False, and why on stderr, where Debian's package cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        # apt-get gives up root to fetch, and must be able to write here.
        Path(folder).chmod(0o777)
        fetched = subprocess.run(["apt-get", "download", "-qq", *_PACKAGES], cwd=folder, check=False)
        if fetched.returncode:
            print("no netdata beside it: its package cannot be fetched", file=sys.stderr)
            return False
        for package in Path(folder).glob("*.deb"):
            _run(host, f"mkdir -p /opt/netdata && cat >/opt/netdata/{package.name}", given=package.read_bytes())
    _run(host, _NETDATA)
    time.sleep(20)
    fresh = int(_run(host, f"{_FRESH} || true") or 0)
    if fresh < 8:
        said = _run(host, "journalctl -q -u netdata -n 5 -o cat; tail -n 5 /opt/netdata/log/error.log || true")
        print(f"no netdata beside it: {fresh} values in ten seconds\n{said}", file=sys.stderr)
        _run(host, "systemctl stop netdata || true")
    return fresh >= 8


def _cpu_us(host: str, units: str = _UNITS) -> int:
    return int(_run(host, _CPU.replace("UNITS", units)))


def _run(host: str, script: str, *, given: bytes | None = None) -> str:
    endpoint = choose_target(open_project(SPEC), "lab").endpoint(host)
    done = subprocess.run([*ssh_argv(endpoint), script], input=given or b"", check=True, capture_output=True)
    return done.stdout.decode()
