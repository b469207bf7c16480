"""One visitor who asks too much: requests on one connection, then many connections at a time.

In: where, how much, an address to come from. Out: what was answered, and how many connections were let in.
Holds: only what the edge answers by itself is asked for (a redirect), so nothing behind it is troubled; it stops with the
first refusal; the address is this host's for as long as this takes.
"""

import contextlib
import errno
import ipaddress
import re
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bastide.prober.routes import addresses, find_path

_AT_A_TIME = 50
_PATIENCE_S = 5.0
_SETTLES_S = 1.0


def crowd(request: "Mapping[str, Any]", say: "Callable[[dict[str, Any]], None]") -> "dict[str, Any]":
    """`address`, `port`, `host`, `requests`, `connections`, `taken`: addresses that are somebody's. Says `ready` while
    it holds what it got, until a line comes on standard input."""
    where = (str(request["address"]), int(request["port"]))
    with _borrowed_address(where[0], set(request["taken"])) as own:
        began = time.monotonic()
        statuses = _ask(where, own, str(request["host"]), int(request["requests"]))
        asking_s = round(time.monotonic() - began, 2)
        held = _hold(where, own, int(request["connections"]))
        say({"ready": True})
        sys.stdin.buffer.readline()
        alive = sum(not _ended(wire) for wire in held)
        for wire in held:
            wire.close()
    return {
        "from": own,
        "statuses": dict(statuses),
        "asking_s": asking_s,
        "let_in": alive,
        "tried": request["connections"],
    }


@contextlib.contextmanager
def _borrowed_address(target: str, taken: "set[str]") -> "Iterator[str]":
    path = find_path(target)
    if path is None:
        raise OSError(f"no way to {target}")
    entry = next(a for a in addresses() if a["address"] == path.source)
    network = ipaddress.ip_interface(f"{path.source}/{entry['prefix']}").network
    free = (str(network.broadcast_address - n) for n in range(6, 200))
    own = next(address for address in free if address not in taken and find_path(address) is None)
    change = ["ip", "address", "{}", f"{own}/32", "dev", path.interface]
    subprocess.run([word.format("add") for word in change], check=True)
    try:
        yield own
    finally:
        subprocess.run([word.format("del") for word in change], check=True)


def _ask(where: "tuple[str, int]", own: str, host: str, most: int) -> "Counter[str]":
    one = f"GET /bastide-verify HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bastide-verify\r\n\r\n".encode()
    statuses: Counter[str] = Counter()
    sent = 0
    while sent < most and "429" not in statuses:
        with socket.create_connection(where, timeout=_PATIENCE_S, source_address=(own, 0)) as wire:
            while sent < most and "429" not in statuses:
                wire.sendall(one * _AT_A_TIME)
                sent += _AT_A_TIME
                said = _read(wire, _AT_A_TIME)
                statuses.update(said)
                if len(said) < _AT_A_TIME:
                    break  # it closed: what comes next needs a connection of its own
            if not said:
                break
    return statuses


def _read(wire: socket.socket, wanted: int) -> "list[str]":
    content = b""
    found: list[bytes] = []
    while len(found) < wanted:
        try:
            part = wire.recv(65536)
        except OSError:
            break
        if not part:
            break
        content += part
        found = re.findall(rb"HTTP/1\.1 (\d{3}) ", content)
    return [status.decode() for status in found]


def _hold(where: "tuple[str, int]", own: str, count: int) -> "list[socket.socket]":
    """Connections that came about, of so many begun at once."""
    wires = []
    for _ in range(count):
        wire = socket.socket()
        wire.setblocking(False)
        wire.bind((own, 0))
        if wire.connect_ex(where) in (0, errno.EINPROGRESS):
            wires.append(wire)
    waiting, held = {wire.fileno(): wire for wire in wires}, []
    poll = select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLOUT)
    end = time.monotonic() + _SETTLES_S
    while waiting and (left := end - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            poll.unregister(descriptor)
            wire = waiting.pop(descriptor)
            held.append(wire) if wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 else wire.close()
    for wire in waiting.values():
        wire.close()
    time.sleep(_SETTLES_S / 2)  # what the edge accepts only to close it, it closes now
    return held


def _ended(wire: socket.socket) -> bool:
    try:
        return wire.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
