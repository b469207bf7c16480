"""A writing load with a ledger, and eyes on both servers.

In: a project whose lab is up. Out: `Ledger`: what each writer was told about each of its writes; `Watch`: when each
server took writes, looked at every ten milliseconds at most.
Holds: every write has an id of its own and is sent once; what was not answered is unknown, neither kept nor lost. Times
are the kernel's monotonic clock, which machines of a lab share with this computer.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.lab.commands import Commands
from tests.waiting import wait_for

DATABASES = ("db1", "db2")
WRITERS = 4
_WRITE = """
import json, os, pymysql, sys, threading, time
from urllib.parse import unquote, urlsplit
writers, first = int(sys.argv[1]), int(sys.argv[2])
url = urlsplit(json.load(sys.stdin)["url"])
over, told = threading.Event(), []
def connect():
    return pymysql.connect(
        host=url.hostname, port=url.port, user=unquote(url.username), password=unquote(url.password),
        database=url.path.lstrip("/"), autocommit=True, connect_timeout=1, read_timeout=6, write_timeout=6)
def write(number):
    connection, count = None, 0
    while not over.is_set():
        ident, began = first + number * 1000000 + count, time.monotonic()
        count += 1
        try:
            connection = connection or connect()
        except Exception:
            connection = None
            over.wait(0.01)
            continue  # nothing was sent
        try:
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO ledger (id) VALUES (%s)", (ident,))
            said = "acknowledged"
        except pymysql.err.MySQLError as error:
            # 1290: read-only, a definite refusal. Anything else may have been written.
            said = "refused" if error.args[0] == 1290 else "unknown"
            connection.close()
            connection = None
        told.append((ident, said, began, time.monotonic()))
        over.wait(0.002)
threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
for thread in threads: thread.start()
print("going", flush=True)
while not os.path.exists("/run/ledger-stop"): time.sleep(0.05)
over.set()
for thread in threads: thread.join()
json.dump({"told": told, "over": time.monotonic()}, sys.stdout)
"""
_LOOK = """
import json, os, pymysql, sys, time
looks, connection = [], None
print("going", flush=True)
while not os.path.exists("/run/ledger-stop"):
    began = time.monotonic()
    try:
        connection = connection or pymysql.connect(
            unix_socket="/run/mysqld/mysqld.sock", user="root", autocommit=True, read_timeout=1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@read_only")
            writable = not cursor.fetchone()[0]
    except Exception:
        connection, writable = None, None
    looks.append((began, time.monotonic(), writable))
    time.sleep(0.004)
json.dump(looks, sys.stdout)
"""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What the writers were told, in order of time."""

    told: tuple[tuple[int, str, float, float], ...]
    over: float
    """When the writers were stopped."""

    def ids(self, said: str) -> list[int]:
        """Writes with that outcome."""
        return [ident for ident, what, _, _ in self.told if what == said]

    def outage_s(self, since: float = 0.0, until: float = float("inf")) -> float:
        """The longest time in which no write was acknowledged, the end of the load included. Of a part of the load: the
        longest that ended in it."""
        ends = [*sorted(ended for _, said, _, ended in self.told if said == "acknowledged"), self.over]
        return max(
            (later - earlier for earlier, later in itertools.pairwise(ends) if since <= later <= until), default=0
        )

    def __str__(self) -> str:
        return f"{dict(Counter(said for _, said, _, _ in self.told))}, no write for {self.outage_s():.3f} s"


class Load:
    """A running load; what it saw is there when it has ended."""

    ledger: Ledger
    looks: dict[str, list[tuple[float, float, bool | None]]]


def url_of(commands: Commands) -> str:
    """What the application is handed."""
    lines = commands.ask("app1", "tr '\\0' '\\n' </proc/$(pgrep -o -f serve.py)/environ | grep ^DATABASE_URL=")
    return lines.splitlines()[0].partition("=")[2]


def make_table(commands: Commands) -> None:
    """The ledger's table on the primary."""
    sql(commands, primary_of(commands), "CREATE TABLE IF NOT EXISTS ledger.ledger (id BIGINT PRIMARY KEY)")


def sql(commands: Commands, host: str, statement: str) -> str:
    """Rows, as root on that host."""
    return commands.ask(host, f"mariadb --no-defaults --socket=/run/mysqld/mysqld.sock -N -B -e '{statement}'")


def seat_of(commands: Commands, host: str) -> dict[str, object]:
    """A keeper's status; empty without an answer."""
    said = commands.ask(host, "curl -s --max-time 2 --unix-socket /run/keeper/status.sock http://k/status || true")
    return dict(json.loads(said)) if said.startswith("{") else {}


def primary_of(commands: Commands) -> str:
    """Who says that it is the primary and takes writes. Where a server kept its keeper waiting that is a little later."""

    def found() -> list[str]:
        return [
            h for h in DATABASES if (s := seat_of(commands, h)).get("role") == "primary" and s["read_only"] is False
        ]

    return wait_for(found, lambda hosts: len(hosts) == 1, every_s=0.2)[0]


def await_pair(commands: Commands, within_s: float = 90) -> str:
    """Wait until one is the primary and the other stands by; the primary."""
    end = time.monotonic() + within_s
    while True:
        said = {}
        for host in DATABASES:
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                said[host] = seat_of(commands, host)
        # A host that was cut off still believes what it saw last.
        seats = [s for said_by in said.values() if isinstance(s := said_by.get("seat"), dict)]
        seat = max(seats, key=lambda s: int(s["epoch"]), default={})
        for host, other in (DATABASES, DATABASES[::-1]):
            takes = said.get(host, {}).get("read_only") is False
            # One that was named and lost its power stays so until the primary has noticed.
            streams = bool(said.get(other, {}).get("session"))
            if seat.get("holder") == host and seat.get("standby") == other and takes and streams:
                return host
        assert time.monotonic() < end, f"no pair within {within_s} s: {said}"
        time.sleep(0.2)


@contextlib.contextmanager
def writing(commands: Commands, first: int, *, warm_s: float = 1.0, after_s: float = 1.0) -> Iterator[Load]:
    """Writers go on while the block runs; ids count from `first`."""
    load, url = Load(), json.dumps({"url": url_of(commands)})
    commands.ask("app1", f"rm -f /run/ledger-stop; cat >/run/write.py <<'END'\n{_WRITE}\nEND")
    for host in DATABASES:
        commands.ask(host, f"rm -f /run/ledger-stop; cat >/run/look.py <<'END'\n{_LOOK}\nEND")
    writers = commands.start("exec", "app1", "--", "python3", "/run/write.py", str(WRITERS), str(first))
    assert writers.stdin is not None and writers.stdout is not None
    writers.stdin.write(url)
    writers.stdin.close()
    writers.stdin = None
    eyes = {host: commands.start("exec", host, "--", "python3", "/run/look.py") for host in DATABASES}
    for process in (writers, *eyes.values()):
        assert process.stdout is not None
        assert process.stdout.readline() == "going\n", process.stderr.read() if process.stderr else ""
    time.sleep(warm_s)
    try:
        yield load
    finally:
        time.sleep(after_s)
        for host in ("app1", *DATABASES):
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                commands.ask(host, "touch /run/ledger-stop", timeout_s=15)
        looks = {}
        for host, process in eyes.items():
            try:
                out, _ = process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                out, _ = process.communicate()
            looks[host] = json.loads(out) if out.strip().startswith("[") else []
        out, errors = writers.communicate(timeout=90)
    assert out, errors
    said = json.loads(out)
    load.ledger = Ledger(
        told=tuple(sorted((tuple(t) for t in said["told"]), key=lambda t: t[3])), over=said["over"]
    )
    load.looks = looks


def both_writable_s(looks: dict[str, list[tuple[float, float, bool | None]]]) -> float:
    """For how long both servers certainly took writes at the same time."""
    spans = {host: _spans(seen) for host, seen in looks.items()}
    one, other = spans.values()
    return max((min(b, d) - max(a, c) for a, b in one for c, d in other), default=0.0)


def _spans(seen: list[tuple[float, float, bool | None]]) -> list[tuple[float, float]]:
    """From the answer of the first look that saw it writable to the question of the last."""
    found: list[tuple[float, float]] = []
    for writable, group in itertools.groupby(seen, key=lambda look: look[2]):
        if writable:
            looks = list(group)
            found.append((looks[0][1], looks[-1][0]))
    return found


def await_applied(commands: Commands, within_s: int = 120) -> None:
    """Until the standby shows everything that the primary has logged."""
    primary = primary_of(commands)
    (standby,) = (host for host in DATABASES if host != primary)
    logged = sql(commands, primary, "SELECT @@gtid_binlog_pos")
    waited = sql(commands, standby, f'SELECT MASTER_GTID_WAIT("{logged}", {within_s})')
    assert waited == "0", f"{standby} did not apply {logged} of {primary} within {within_s} s"


def verdict(commands: Commands, load: Load, first: int) -> dict[str, int | float]:
    """Lost and doubled writes on each server, once both stand and the standby has applied what the primary logged (it
    stands by from when it has received it); and whether both ever wrote."""
    await_applied(commands)
    acknowledged, refused = set(load.ledger.ids("acknowledged")), set(load.ledger.ids("refused"))
    lost = present_refused = 0
    kept: dict[str, set[int]] = {}
    for host in DATABASES:
        rows = sql(commands, host, f"SELECT id FROM ledger.ledger WHERE id >= {first} AND id < {first + 100000000}")
        kept[host] = {int(row) for row in rows.split()}
        lost = max(lost, len(acknowledged - kept[host]))
        present_refused += len(kept[host] & refused)
    return {
        "acknowledged": len(acknowledged),
        "unknown": len(load.ledger.ids("unknown")),
        "lost": lost,
        "refused_but_present": present_refused,
        "differ": len(kept["db1"] ^ kept["db2"]),
        "both_writable_s": max(0.0, both_writable_s(load.looks)),
        "outage_s": load.ledger.outage_s(),
    }
