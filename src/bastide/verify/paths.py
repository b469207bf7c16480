"""Edge: one spelling of a path for all tiers, and nothing served that lies outside the site.

In: Scene. Out: checks `edge.paths.*`. Holds: each spelling is asked as bytes; what the edge took it for stands beside
what the web server took it for, by the request's number. Control: what must not be reached does answer from inside,
and a static and a plain path are understood as such by both.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping

from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged, untested
from bastide.verify.logged import Line, await_lines
from bastide.verify.raw import RawAnswer, ask_raw
from bastide.verify.scene import Scene

_UP = "../../../../../../../.."
SPELLINGS = (
    "/..%2f..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", f"/{_UP}/etc/passwd",
    f"{{static}}{_UP}/etc/passwd", "{static}..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", "{static}%2e%2e%2f%2e%2e%2fetc/passwd",
    "{bare}../etc/passwd", "{bare}..%2f..%2fetc/passwd", "{static}..;/..;/etc/passwd", "{static}..\\..\\..\\etc\\passwd",
    "{static}..%5c..%5c..%5cetc%5cpasswd", "{static}%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "{static}.%252e/.%252e/etc/passwd",
    "{static}%00", "/%00/etc/passwd", "{static}x%00.css", "//etc/passwd", "/./etc/passwd", "{static}/etc/passwd",
    "{static}.env", "{static}.git/config", "/.bastide/live", "//.bastide/live", "/./.bastide/live", "/x/../.bastide/live",
    "/x/..//.bastide/live", "/%2ebastide/live", "/.bastide%2flive", "/.bastide%2Flive", "/.%62astide/live",
    "/%2e%62%61stide/live", "/x%2f..%2f.bastide/live", "{static}../.bastide/live", "{static}..%2f.bastide/live",
    "{static}%2e%2e/.bastide/live", "/.bastide/./live", "/.bastide//live", "/.bastide;/live", "/.bastide/health",
    "/.bastide/refused", "/.BASTIDE/live", "/x/%2e%2e/.bastide/health", "/.bastide/live%20", "/.bastide/live#x",
    "{static}%2f%2f", "{bare}%2f", "{bare}%2fx", "{bare}/../", "/x/..{static}", "/x/%2e%2e{static}", "{static}..{static}",
    "/{bare}/", "{static}x/../../", "{static}%2e%2e/", "{static}..%2f",
)  # fmt: skip
_OUTSIDE = (b"root:x:0:0:", b"PRIVATE KEY-----", b"repositoryformatversion")
"""What a file that lies outside, or is hidden, would show."""
_INSIDE = (b"\r\n\r\nlive\n", b"degraded: the application answers")


def check_paths(scene: Scene, name: str, address: str) -> Iterator[Check]:
    """The check, at one balancer."""
    identifier = f"edge.paths.{name}"
    claim = f"{len(SPELLINGS)} spellings of paths: {name} and the web servers read each alike, and nothing else is served"
    static = next(iter(scene.spec.web.static), "/static/")
    token = secrets.token_hex(4)
    targets = [spell(spelling, static) for spelling in SPELLINGS]
    controls = ["/", f"{static}bv-{token}"]
    try:
        answers = {target: ask_raw(scene, address, _marked(target, token, n))
                   for n, target in enumerate([*controls, *targets])}  # fmt: skip
        numbers = [answer.request_id for answer in answers.values() if answer.request_id]
        needed = [answers[control].request_id for control in controls]
        lines = await_lines(
            scene, ("edge", "web"), numbers,
            lambda found: all({line.tier for line in found.get(number, [])} == {"edge", "web"} for number in needed),
        )  # fmt: skip
    except (OSError, AskFailed) as failure:
        yield untested(identifier, claim, str(failure))
        return
    seen = {target: read_routes(answer, lines) for target, answer in answers.items()}
    told = {target: {"status": answers[target].status, **seen[target]} for target in answers}
    apart = {t: r for t, r in told.items() if r.get("web") and r["web"] not in (r.get("edge"), "refused")}
    outside = [target for target in targets if shows_what_it_must_not(answers[target])]
    unread = [control for control in controls if seen[control].keys() != {"edge", "web"}]
    if unread:
        yield untested(identifier, claim, f"not even {', '.join(unread)} is in both tiers' logs", read=told)
    else:
        yield judged(identifier, claim, not apart and not outside, apart=apart, outside=outside, read=told)


def spell(spelling: str, static: str) -> str:
    """A request's target, for a site with static files there."""
    return spelling.format(static=static, bare=static.rstrip("/") or "/")


def _marked(target: str, token: str, number: int) -> str:
    # A fragment is no part of what a server is sent; everything behind it would be lost.
    return target if "#" in target else f"{target}?bv-{token}-{number}"


def read_routes(answer: RawAnswer, lines: Mapping[str, list[Line]]) -> dict[str, str]:
    """What each tier took the request for."""
    return {line.tier: line.fields["route"] for line in lines.get(answer.request_id, [])}


def shows_what_it_must_not(answer: RawAnswer) -> bool:
    """Whether an answer holds what lies outside the site, or what only its own hosts are told."""
    return any(part in answer.content for part in (*_OUTSIDE, *_INSIDE))
