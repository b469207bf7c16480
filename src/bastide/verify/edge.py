"""Edge: requests that two servers could read differently, lines that only a proxy may send, and clients that dawdle.

In: Scene. Out: checks `edge.*`. Holds: each attack is followed by a good request on the same connection, so that a
request smuggled past the edge shows as one answer too many; the same pair without the attack must give exactly two.
"""

from __future__ import annotations

import http.client
import re
import secrets
import socket
import ssl
import time
from collections.abc import Iterator, Mapping

from bastide.prober.hello import GOOD_12, VERSIONS, client_hello, read_answer
from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged, untested
from bastide.verify.forwarded import check_forwarded
from bastide.verify.logged import requests_behind
from bastide.verify.paths import check_paths
from bastide.verify.rates import check_rates
from bastide.verify.raw import PATIENCE_S, connect, converse
from bastide.verify.scene import Scene
from bastide.verify.site import trusting, visit

_SLOWEST_S, _MOST_S = 15.0, 12.0
_INNER = "GET /{word} HTTP/1.1\r\nHost: {host}\r\n\r\n"
_CORPUS = {
    "length and chunks": "Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
    "chunks and length": "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{hex}\r\n{inner}\r\n0\r\n\r\n",
    "chunked by another name": "Content-Length: {length}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{inner}",
    "chunked, said twice": "Content-Length: {length}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
    "0\r\n\r\n{inner}",
    "chunked after a tab": "Content-Length: {length}\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n{inner}",
    "a blank before the colon": "Content-Length: {length}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{inner}",
    "a folded line": "Content-Length: {length}\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{inner}",
    "a vertical tab": "Content-Length: {length}\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{inner}",
    "two lengths": "Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{inner}",
    "a list of lengths": "Content-Length: 0, {length}\r\n\r\n{inner}",
    "a signed length": "Content-Length: +0\r\n\r\n{inner}",
    "a negative length": "Content-Length: -1\r\n\r\n{inner}",
    "a length in hex": "Content-Length: 0x0\r\n\r\n{inner}",
    "a chunk size with a sign": "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n{inner}",
    "a huge chunk size": "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n{inner}",
    "a line ended by LF alone": "X-A: b\nTransfer-Encoding: chunked\nContent-Length: {length}\r\n\r\n0\r\n\r\n{inner}",
    "a zero byte in a name": "Content-Length: {length}\r\nTransfer-Encoding\x00: chunked\r\n\r\n0\r\n\r\n{inner}",
    "a length in an underscore's disguise": "Content_Length: 0\r\nContent-Length: {length}\r\n\r\n{inner}",
}
"""Header lines and body of a POST that hides a request; `inner` is the hidden one."""


def check_edge(scene: Scene) -> Iterator[Check]:
    """Every check of the family, at each balancer's own address; what one of them waits for holds up no other."""
    addresses = {host.name: str(host.public or host.private) for host in scene.topology.tier("balancer")}
    for checks in scene.each(addresses, lambda name: list(_at(scene, name, addresses[name]))).values():
        if not isinstance(checks, AskFailed):
            yield from checks
    # One after the other: there is one crowd.
    for name, address in addresses.items():
        yield from check_rates(scene, name, address)


def _at(scene: Scene, name: str, address: str) -> Iterator[Check]:
    yield _smuggling(scene, name, address)
    yield _proxy_lines(scene, name, address)
    yield from _slow(scene, name, address)
    yield from check_forwarded(scene, name, address)
    yield from check_paths(scene, name, address)


def _smuggling(scene: Scene, name: str, address: str) -> Check:
    claim = f"{name} lets no request hide in another: {len(_CORPUS)} ways to disagree about where a request ends"
    plain = "Content-Length: {length}\r\n\r\n{inner}"
    token = secrets.token_hex(4)
    words = {what: f"bv-{token}-{number}" for number, what in enumerate(_CORPUS)}
    try:
        control = _answers(scene, address, plain, f"bv-{token}-plain")
        seen = {what: _answers(scene, address, lines, words[what]) for what, lines in _CORPUS.items()}
        # Two answers: both sides agreed on one request. A refusal closes the connection: one answer, and it is 400.
        # One that is no refusal: the edge closed it, as it must after a length and chunks; what hid is in the logs then.
        lone = {what: answers for what, answers in seen.items() if len(answers) == 1 and answers[0] < 400}
        behind = requests_behind(scene, address, [words[what] for what in lone], f"bv-{token}-seen") if lone else []
    except (OSError, AskFailed) as error:
        return untested(f"edge.smuggling.{name}", claim, str(error))
    bad = {
        what: answers for what, answers in seen.items()
        if len(answers) > 2 or not answers or words[what] in (behind or [])
    }  # fmt: skip
    if len(control) != 2:
        return untested(
            f"edge.smuggling.{name}", claim, f"two good requests gave {len(control)} answers: {control}"
        )
    proof = {"hidden": bad, "control": control, "answers": seen}
    if behind is None and not bad:
        reason = f"after {', '.join(lone)} the connection was closed, and the logs behind do not tell why"
        return untested(f"edge.smuggling.{name}", claim, reason, **proof)
    return judged(f"edge.smuggling.{name}", claim, not bad, **proof)


def _answers(scene: Scene, address: str, lines: str, word: str) -> list[int]:
    """Statuses of everything that comes back for an attack and a good request behind it."""
    inner = _INNER.format(word=word, host=scene.domain)
    filled = lines.format(inner=inner, length=len(inner) + 5 * ("0\r\n\r\n" in lines), hex=f"{len(inner):x}")
    good = f"GET / HTTP/1.1\r\nHost: {scene.domain}\r\nConnection: close\r\n\r\n"
    attack = f"POST / HTTP/1.1\r\nHost: {scene.domain}\r\n{filled}"
    said = converse(scene, address, attack + good)
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n", said)]


def _proxy_lines(scene: Scene, name: str, address: str) -> Check:
    claim = f"{name} takes nobody's word for a visitor's address: a PROXY line from outside ends the conversation"
    hello = client_hello(VERSIONS["TLS 1.2"], sorted(GOOD_12), scene.domain)
    lines = {
        "version 1": b"PROXY TCP4 192.0.2.66 192.0.2.1 4711 443\r\n",
        "version 2": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x42\xc0\x00\x02\x01\x12\x67\x01\xbb",
    }
    try:
        said = {what: _first_answer(address, line + hello) for what, line in lines.items()}
        control = _first_answer(address, hello)
    except OSError as error:
        return untested(f"edge.proxy.{name}", claim, str(error))
    if not control.startswith("0303"):
        return untested(f"edge.proxy.{name}", claim, f"without such a line it does not answer either: {control}")
    taken = [what for what, answer in said.items() if re.match(r"0[0-9a-f]{3} ", answer)]
    return judged(f"edge.proxy.{name}", claim, not taken, taken=taken, answers=said, control=control)


def _first_answer(address: str, content: bytes) -> str:
    with socket.create_connection((address, 443), timeout=PATIENCE_S) as wire:
        wire.sendall(content)
        try:
            return read_answer(wire.recv(4096))
        except (ConnectionError, TimeoutError):
            return "closed"


def _slow(scene: Scene, name: str, address: str) -> Iterator[Check]:
    """Both dawdle at the same time, and a good visitor comes meanwhile."""
    heads = {
        "header": f"GET / HTTP/1.1\r\nHost: {scene.domain}\r\nX-Slow: ",
        "body": f"POST / HTTP/1.1\r\nHost: {scene.domain}\r\nContent-Length: 1000\r\n\r\n",
    }
    claims = {
        what: f"{name} ends a request whose {what} does not come, and serves others meanwhile" for what in heads
    }
    try:
        wires = {what: connect(scene, address) for what in heads}
        began = time.monotonic()
        for what, wire in wires.items():
            wire.sendall(heads[what].encode())
        served = visit(scene.domain, address, trusting(scene.ca)).status
        ended = _ends(wires, began)
    except (OSError, http.client.HTTPException) as error:
        for what, claim in claims.items():
            yield untested(f"edge.slow.{what}.{name}", claim, str(error))
        return
    for what, claim in claims.items():
        seconds = ended[what]
        good = seconds is not None and seconds <= _MOST_S and served < 500
        yield judged(
            f"edge.slow.{what}.{name}", claim, good, ended_after_s=seconds, at_most_s=_MOST_S, served=served
        )


def _ends(wires: Mapping[str, ssl.SSLSocket], began: float) -> dict[str, float | None]:
    """When the other side ended each; one byte every half second keeps it from looking idle."""
    ended: dict[str, float | None] = dict.fromkeys(wires)
    while time.monotonic() - began < _SLOWEST_S and None in ended.values():
        for what, wire in wires.items():
            if ended[what] is None:
                wire.settimeout(0.25)
                try:
                    wire.sendall(b"x")
                    wire.recv(4096)
                    over = True
                except TimeoutError:
                    over = False
                except OSError:
                    over = True
                if over:
                    ended[what] = round(time.monotonic() - began, 1)
    for wire in wires.values():
        wire.close()
    return ended
