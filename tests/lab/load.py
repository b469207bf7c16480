"""A steady load from the lab's internet machine, with an honest ledger.

In: a project whose lab is up, and a URL. Out: `Ledger`: every GET, when it was asked, how long it took, what came.
Holds: a GET is asked once. Only what a browser repeats by itself is repeated, once: a kept connection that the other
side had closed before a byte of the answer came; these are counted apart. Times are the kernel's monotonic clock,
which machines of a lab share with this computer.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.lab.commands import Commands

# Six visitors with kept connections: the edge allows one source twenty new connections a second.
_VISITORS, _PAUSE_S, _PATIENCE_S = 6, 0.12, 15.0

_SCRIPT = """
import http.client, itertools, json, ssl, sys, threading, time
host, path, visitors, pause, patience = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])
method, template = sys.argv[6], sys.argv[7]
numbers = itertools.count()
context = ssl.create_default_context()
gets, over = [], threading.Event()

def ask(connection, body):
    headers = {"Content-Type": "application/json"} if body else {}
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status

def visit(number):
    over.wait(number * pause / visitors)
    connection, kept = None, False
    while not over.is_set():
        began, repeated = time.monotonic(), False
        body = template.replace("NUMBER", str(next(numbers))).encode() or None
        try:
            connection = connection or http.client.HTTPSConnection(host, timeout=patience, context=context)
            try:
                said = ask(connection, body)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                if not kept:
                    raise
                repeated = True
                connection.close()
                said = ask(connection, body)
            kept = True
        except (OSError, http.client.HTTPException) as error:
            said = type(error).__name__
            connection.close()
            connection, kept = None, False
        gets.append((began, time.monotonic(), said, repeated))
        took = time.monotonic() - began
        # Whoever is answered slowly looks at the page as long: a computer that hosts and visitors share is not kept
        # so busy by them that nothing becomes well on it.
        over.wait(max(pause - took, min(took, 1.0)))

threads = [threading.Thread(target=visit, args=(n,)) for n in range(visitors)]
for thread in threads: thread.start()
print("going", flush=True)
sys.stdin.read()
over.set()
for thread in threads: thread.join()
json.dump(gets, sys.stdout)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Get:
    """One GET as its visitor saw it."""

    began: float
    ended: float
    said: int | str
    """Status, or the kind of failure."""
    repeated: bool
    """Asked again on a new connection, as browsers do when a kept one turns out to be closed."""

    @property
    def failed(self) -> bool:
        """Whether the visitor did not get the page."""
        return self.said not in (200, 201)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """All GETs of one load, in order."""

    gets: tuple[Get, ...]

    @property
    def failed(self) -> tuple[Get, ...]:
        """Those that did not get the page."""
        return tuple(get for get in self.gets if get.failed)

    @property
    def repeated(self) -> int:
        """How many were asked twice."""
        return sum(get.repeated for get in self.gets)

    @property
    def per_second(self) -> float:
        """The rate that was kept up."""
        return len(self.gets) / (self.gets[-1].ended - self.gets[0].began)

    @property
    def slowest_s(self) -> float:
        """The longest that anyone waited."""
        return max(get.ended - get.began for get in self.gets)

    @property
    def outage_s(self) -> float:
        """From the first failed GET's beginning to the end of the first success asked after the last one began; without
        end where none came any more."""
        if not self.failed:
            return 0.0
        last = self.failed[-1].began
        again = min((get.ended for get in self.gets if get.began > last and not get.failed), default=math.inf)
        return again - self.failed[0].began

    def longest_silence_s(self) -> float:
        """The longest time in which no GET succeeded, which is what the visitors together saw of an outage."""
        ends = sorted(get.ended for get in self.gets if not get.failed)
        return max((later - earlier for earlier, later in itertools.pairwise(ends)), default=math.inf)

    def __str__(self) -> str:
        kinds = dict(Counter(get.said for get in self.failed))
        return (
            f"{len(self.gets)} GETs, {self.per_second:.0f}/s, {len(self.failed)} failed {kinds or ''}, "
            f"{self.repeated} repeated, outage {self.outage_s:.2f} s, longest silence {self.longest_silence_s():.2f} s, "
            f"slowest {self.slowest_s:.2f} s"
        )


class Load:
    """A running load; its ledger is there when it has ended."""

    ledger: Ledger


@contextlib.contextmanager
def steady_load(
    commands: Commands, *, host: str = "shop.test", path: str = "/", method: str = "GET", body: str = ""
) -> Iterator[Load]:
    """GETs go on while the block runs; afterwards `load.ledger` holds them all, and it was a load.

    With a method POST: of a JSON text, in which NUMBER is another number each time.
    """
    commands.ask("client", f"cat >/run/load.py <<'END'\n{_SCRIPT}\nEND")
    words = ["python3", "/run/load.py", host, path, str(_VISITORS), str(_PAUSE_S), str(_PATIENCE_S), method, body]
    load = Load()
    with commands.start("exec", "client", "--", *words) as visitors:
        assert visitors.stdout is not None
        assert visitors.stdout.readline() == "going\n"
        time.sleep(1)
        try:
            yield load
        finally:
            time.sleep(1)
            out, errors = visitors.communicate(timeout=90)
    gets = [Get(began=b, ended=e, said=s, repeated=r) for b, e, s, r in json.loads(out or "[]")]
    assert gets, errors
    load.ledger = Ledger(gets=tuple(sorted(gets, key=lambda get: get.began)))
    # A quiet computer takes some forty. It is a control, not a promise: what is busy, or was away, takes fewer.
    assert load.ledger.per_second >= 10, f"this was no steady load: {load.ledger}"
