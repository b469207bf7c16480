"""How the tiers understood a request: their log lines about it, side by side.

In: Scene, words that stand in the requests (or numbers of requests). Out: `Line`s by word. Raises AskFailed.
Holds: lines appear when an answer is over, so they are waited for until all that must be there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from bastide.products.haproxy import view as haproxy
from bastide.products.nginx import view as nginx
from bastide.spec.parts import Role
from bastide.verify.asking import AskFailed
from bastide.verify.raw import ask_raw
from bastide.verify.scene import Scene

_PATIENCE_S = 60.0
_FLUSHED_S = 2.0
"""Each worker of a web server writes what it has at least every second."""
_SHARE = 4
_LOGS: Mapping[str, tuple[Role, str, tuple[str, ...]]] = {
    "edge": ("balancer", f"{haproxy.LOG_FOLDER}/access.tsv", tuple(haproxy.REQUEST_FIELDS)),
    "web": ("web", f"{nginx.LOGS}/nginx-web.tsv", tuple(nginx.REQUEST_FIELDS)),
    "app": ("app", f"{nginx.LOGS}/nginx-app.tsv", tuple(nginx.REQUEST_FIELDS)),
}
"""By tier: role of its hosts, file, names of its columns."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One request, as one tier logged it."""

    tier: str
    host: str
    fields: Mapping[str, str]

    @property
    def client(self) -> str:
        """Who the tier takes the visitor for."""
        return self.fields["client"]


def find(scene: Scene, tiers: Collection[str], words: Collection[str]) -> dict[str, list[Line]]:
    """Lines about each word that are there now."""
    found: dict[str, list[Line]] = {word: [] for word in words}
    for tier in tiers:
        role, path, columns = _LOGS[tier]
        ask = partial(_ask, scene, path, list(words))
        for host, said in scene.each([host.name for host in scene.topology.tier(role)], ask).items():
            if isinstance(said, AskFailed):
                raise said
            for text in said:
                values = text.split("\t")
                if len(values) == len(columns):
                    line = Line(tier=tier, host=host, fields=dict(zip(columns, values, strict=True)))
                    for word in words:
                        if word in text:
                            found[word].append(line)
    return found


def _ask(scene: Scene, path: str, words: list[str], host: str) -> list[str]:
    return list(scene.ask(host, "logged", files={"log": path}, words=words)["log"])


def await_lines(
    scene: Scene, tiers: Collection[str], words: Collection[str], whole: Callable[[dict[str, list[Line]]], bool]
) -> dict[str, list[Line]]:
    """The lines, as soon as they are all that was expected; what there is when that did not come."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        found = find(scene, tiers, words)
        if whole(found) or time.monotonic() > end:
            return found
        time.sleep(0.3)


def requests_behind(scene: Scene, address: str, words: Collection[str], control: str) -> list[str] | None:
    """Which words a web server behind the edge was asked for, since all that came before was logged; None where that
    cannot be known. Control: requests for another word, some to every web server, are in its log."""
    webs = {host.name for host in scene.topology.tier("web")}
    for _ in range(_SHARE * len(webs)):
        ask_raw(scene, address, f"/?{control}")
    seen = await_lines(scene, ("web",), [control], lambda found: {line.host for line in found[control]} == webs)
    if not webs or {line.host for line in seen[control]} != webs:
        return None
    time.sleep(_FLUSHED_S)
    return [word for word, lines in find(scene, ("web",), words).items() if lines]
