"""Every port of addresses, knocked at from this host past this host's own wall.

In: targets, ports, source port. Out: which ports answered and how; how many probes left; why nothing could.
Holds: all probes leave first, then there is one wait for all of them; a probe that gets no answer within the patience
counts as unanswered; whether it arrived is for the other side's `arrivals` to say. What was opened is reset at once.
"""

import select
import socket
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from bastide.prober import filters
from bastide.prober.frames import TCP, Path, parse_answer, reset_frame, syn_frames
from bastide.prober.routes import find_path
from bastide.prober.sending import BATCH, Salvo, packet_socket

MARK = 0x6261
"""Upper half of the sequence number of every probe, by which the other side knows it."""
_BUFFER = 32 << 20


def sweep(request: "Mapping[str, Any]") -> "dict[str, Any]":
    """`targets`: addresses, of which those in `full` get all ports and the others a `few`; `source_port`;
    `patience_s`; `per_second`: 0 for no bound."""
    full, few = set(request["full"]), sorted(request["few"])
    found: dict[str, Any] = {}
    with Ears(int(request["source_port"])) as ears:
        paths = {}
        for target in request["targets"]:
            path = find_path(target, source=request.get("source"), via=request.get("via"))
            if path is None:
                found[target] = {"sent": 0, "open": [], "closed": [], "why": "no way there"}
                continue
            ports = range(1, 65536) if target in full else few
            paths[target] = path
            ears.expect(path)
            knock(path, ports, ears, request.get("per_second", 0))
            found[target] = {"sent": len(ports), "from": path.source}
        ears.listen_for(request["patience_s"])
        for target, path in paths.items():
            said = ears.said[path.target]
            found[target] |= {way: sorted(p for p, s in said.items() if s == way) for way in ("open", "closed")}
    return found


class Ears:
    """Hears what comes back to one port of this host, on every interface that probes leave by."""

    def __init__(self, source_port: int) -> None:
        self.source_port = source_port
        self.said: dict[str, dict[int, str]] = {}
        """By address: what each port that answered said."""
        self._paths: dict[str, Path] = {}
        self._sockets: dict[tuple[str, int], socket.socket] = {}

    def expect(self, path: Path) -> None:
        """Answers may come from there."""
        self.said.setdefault(path.target, {})
        self._paths[path.target] = path
        where = (path.interface, path.kind)
        if where not in self._sockets:
            only_ours = filters.to_port(path.ip6, TCP, self.source_port)
            self._sockets[where] = packet_socket(path.interface, path.kind, only_ours, _BUFFER)

    def mouth(self, path: Path) -> socket.socket:
        """What probes to there leave by."""
        return self._sockets[path.interface, path.kind]

    def listen(self, wait_s: float) -> None:
        """Take what is there, or what comes first within that time."""
        for raw in select.select(list(self._sockets.values()), [], [], wait_s)[0]:
            self._drain(raw)

    def listen_for(self, seconds: float) -> None:
        """Take all that comes until then."""
        end = time.monotonic() + seconds
        while self._sockets and (left := end - time.monotonic()) > 0:
            self.listen(left)

    def _drain(self, raw: socket.socket) -> None:
        while True:
            try:
                frame = raw.recv(128)
            except BlockingIOError:
                return
            answer = parse_answer(frame)
            path = self._paths.get(answer.source) if answer else None
            if answer is None or path is None:
                continue
            self.said[path.target][answer.port] = answer.said
            if answer.said == "open":
                raw.send(reset_frame(path, self.source_port, answer.port, answer.acknowledged))

    def __enter__(self) -> "Ears":
        return self

    def __exit__(self, *_: object) -> None:
        for raw in self._sockets.values():
            raw.close()


@lru_cache(maxsize=2)
def _room(count: int, size: int) -> Salvo:
    return Salvo(count, size)


def knock(path: Path, ports: "range | list[int]", ears: Ears, per_second: float = 0) -> None:
    """A probe to each port; what answers meanwhile is heard."""
    frames, size = syn_frames(path, ears.source_port, MARK << 16 | ears.source_port, ports)
    salvo, raw = _room(len(ports), size), ears.mouth(path)
    salvo.load(frames)
    began = time.monotonic()
    for at in range(0, salvo.count, BATCH):
        if per_second:
            ahead = at / per_second - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
        salvo.send(raw, at, min(at + BATCH, salvo.count))
        ears.listen(0)
