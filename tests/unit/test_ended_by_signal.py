"""Whatever lock a daemon of ours holds when it is told to end: it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_LOOP = """
import os, signal, threading, time

class Loop:
    lock, over = threading.Lock(), threading.Event()

    def run(self, *_):
        with self.lock:  # as an Event's own, which `wait` holds for moments
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.2)
        assert self.over.wait(5), "never told"

    def stop(self):
        with self.lock:
            self.over.set()
"""
_KEEPER = """
from bastide.keeper import __main__ as program
program._keeper = lambda _: Loop()
raise SystemExit(program._run(None))
"""
_AGENT = """
from bastide.agent import __main__ as program, daemon
daemon.Agent = lambda _: Loop()
raise SystemExit(program._run(None))
"""
_RECORDER = """
import json, sys
from bastide.prober import recording
recording.FOLDER = __import__("pathlib").Path(sys.argv[2])
(recording.FOLDER / "looks.json").write_text(json.dumps({"until": time.time() + 60}))
loop, event = Loop(), threading.Event

class Event(event):
    set = lambda self: (loop.stop(), event.set(self))

recording.threading.Event = Event
recording._WORK["looks"] = loop.run
recording.main()
"""


@pytest.mark.parametrize("program", [_KEEPER, _AGENT, _RECORDER], ids=["keeper", "agent", "recorder"])
def test_it_ends_whatever_it_was_at(program: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _LOOP + program, "looks", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
