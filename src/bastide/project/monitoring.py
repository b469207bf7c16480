"""What the monitors know, asked over SSH of the hub that runs there.

In: a Target. Out: the hub's own JSON. Raises HubSilent when no monitor answers, with each one's reason;
HubRefused when one will not.
Holds: nothing listens for us: the question goes to the hub's socket on the host itself, as root; the first monitor
that answers counts.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bastide.products.hub.view import PROGRAM, SETTINGS
from bastide.project.target import Target
from bastide.transport.endpoint import Endpoint, root_argv

TIMEOUT_S = 30.0
REFUSED = 3
"""Exit status of the hub's program for a question that it refuses (`hub/ask.py`)."""
RESTART_S = 10
"""How long a hub that was answering may be gone, for a restart of it, before watching ends."""
WATCHED_S = 86400


class HubSilent(Exception):
    """No monitor answers. `hint` says what to do."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = reasons
        if reasons:
            self.hint = f"bastide logs {next(iter(reasons))}/hub shows why"
            super().__init__("; ".join(f"{host}: {why}" for host, why in reasons.items()))
        else:
            self.hint = "give a host the role monitor, then bastide apply"
            super().__init__("this project has no monitor")


class HubRefused(Exception):
    """The hub will not do what it was asked; another one would not either."""

    hint = "change what you ask for"


def monitor_names(target: Target) -> tuple[str, ...]:
    """Hosts with a hub, in spec order."""
    return tuple(name for name, host in target.spec.hosts.items() if "monitor" in host.roles)


def ask_hub(target: Target, verb: str, *words: str, of: Sequence[str] = ()) -> tuple[str, Any]:
    """One answer, and which monitor gave it. `of`: these monitors only. Raises HubSilent."""
    reasons: dict[str, str] = {}
    for name in of or monitor_names(target):
        try:
            done = subprocess.run(
                _argv(target.endpoint(name), verb, words),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            reasons[name] = f"no answer within {TIMEOUT_S:.0f} s"
            continue
        if done.returncode == 0:
            try:
                return name, json.loads(done.stdout)
            except ValueError:
                reasons[name] = "its answer is not JSON"
                continue
        said = [line for line in done.stderr.splitlines() if line.strip()]
        why = said[-1].removeprefix("hub: ") if said else f"exit status {done.returncode}"
        if done.returncode == REFUSED:
            raise HubRefused(why)
        reasons[name] = why
    raise HubSilent(reasons)


def watch_hub(target: Target) -> Iterator[dict[str, Any]]:
    """The state, once a second, until the reader stops; goes on with another monitor when one goes away.

    Raises HubSilent when none answers any more.
    """
    left = 0
    while True:
        # Asked once first: it says which monitor answers, or why none does.
        try:
            name, state = ask_hub(target, "state")
        except HubSilent:
            if left <= 0:
                raise
            left -= 1
            time.sleep(1.0)
            continue
        left = RESTART_S
        yield state
        child = subprocess.Popen(
            _argv(target.endpoint(name), "state", [str(WATCHED_S)]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # Ctrl-C is for us to handle, not for ssh to die of.
            start_new_session=True,
        )
        try:
            assert child.stdout is not None
            for line in child.stdout:
                yield json.loads(line)
        finally:
            child.terminate()
            child.wait()


def _argv(endpoint: Endpoint, verb: str, words: Sequence[str]) -> list[str]:
    return root_argv(endpoint, ["/usr/bin/python3", "-I", PROGRAM, verb, SETTINGS, *words])
