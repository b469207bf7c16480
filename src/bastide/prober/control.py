"""The sweep's control, on every host that sweeps: shown one open, one silent and many closed ports, does it see them?

Out: what it saw. Holds: it happens in two network namespaces that exist while this runs; no wall or address of the
host is touched.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from bastide.prober.routes import find_path
from bastide.prober.sweep import Ears, knock

OPEN, SILENT, HIGHEST = 4711, 4712, 5000
_PATIENCE_S = 15
_NEW_NETWORK = 0x40000000
_HERE, _THERE = "192.0.2.1", "192.0.2.2"
_WALL = f"table inet c {{ chain i {{ type filter hook input priority 0; tcp dport {SILENT} drop; }}; }}"


def try_control(_: "Mapping[str, Any]") -> "dict[str, Any]":
    """Ports seen open, number seen closed, and ports of which nothing was heard."""
    ready, tell_ready = os.pipe()
    hold, release = os.pipe()
    shown = _child(lambda: _show(tell_ready, hold))
    answer, tell_answer = os.pipe()
    try:
        os.read(ready, 1)
        looking = _child(lambda: _look(shown, ready, release, tell_answer))
        os.close(tell_answer)
        with os.fdopen(answer, "rb") as stream:
            said = stream.read()
        os.waitpid(looking, 0)
    finally:
        os.kill(shown, 9)
        os.waitpid(shown, 0)
    if not said:
        raise OSError("the control could not be set up: it needs namespaces, veth and nft")
    found: dict[str, Any] = json.loads(said)
    return found


def _show(tell_ready: int, hold: int) -> None:
    """The side that is swept: says when its namespace is there, waits for the cable, then for its end."""
    _unshare()
    os.write(tell_ready, b"1")
    os.read(hold, 1)
    _ip(f"address add {_THERE}/30 dev there", "link set there up")
    subprocess.run(["nft", "-f", "-"], input=_WALL.encode(), check=True)
    with socket.create_server((_THERE, OPEN)):
        os.write(tell_ready, b"2")
        os.read(hold, 1)


def _look(shown: int, ready: int, release: int, tell_answer: int) -> None:
    _unshare()
    _ip(
        f"link add here type veth peer name there netns {shown}",
        f"address add {_HERE}/30 dev here",
        "link set here up",
    )
    os.write(release, b"1")
    os.read(ready, 1)
    path = find_path(_THERE)
    assert path is not None
    with Ears(61000) as ears:
        ears.expect(path)
        knock(path, range(1, HIGHEST + 1), ears)
        ears.listen_for(0.2)
    said = ears.said[_THERE]
    silent = [port for port in range(1, HIGHEST + 1) if port not in said]
    answer = {
        "open": sorted(p for p, s in said.items() if s == "open"),
        "closed": sum(s == "closed" for s in said.values()),
        "silent": silent[:20],
    }
    os.write(tell_answer, json.dumps(answer).encode())


def _child(work: "Callable[[], None]") -> int:
    child = os.fork()
    if child:
        return child
    signal.alarm(_PATIENCE_S)
    try:
        work()
    except BaseException:  # noqa: BLE001 - the child's edge: its parent sees that it said nothing
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _unshare() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "unshare")


def _ip(*lines: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines).encode(), check=True)
