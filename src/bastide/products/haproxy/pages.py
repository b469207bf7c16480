"""The answers that HAProxy gives by itself.

In: the maintenance page, if the spec names one, and how long a limited client should wait. Out: whole HTTP
answers by status. Holds: none names the software, a host or a cause that helps an attacker.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

UNAVAILABLE_RETRY_S = 30

_SENTENCES: dict[int, str] = {
    400: "Your browser sent something that this site does not understand.",
    403: "This is not for you.",
    404: "There is nothing here.",
    405: "This method is not served here.",
    408: "Your request took too long to arrive.",
    429: "You are sending requests faster than this site allows. Wait a moment.",
    500: "Something failed on our side.",
    502: "Something failed on our side.",
    503: "The site is being worked on, and will be back soon.",
    504: "The answer took too long on our side.",
}
_TITLES: dict[int, str] = {503: "Back soon"}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
html {{ color-scheme: light dark; font: 1.1rem/1.6 system-ui, sans-serif; }}
body {{ max-width: 34rem; margin: 22vh auto; padding: 0 1.5rem; }}
h1 {{ font-size: 1.6rem; margin: 0 0 .5rem; }}
p {{ margin: 0; opacity: .8; }}
</style>
<h1>{title}</h1>
<p>{sentence}</p>
</html>
"""


def render_pages(*, maintenance_page: str | None, retry_after_s: int) -> Mapping[int, bytes]:
    """Status -> answer with its head, as HAProxy's `errorfile` wants it."""
    waits = {429: retry_after_s, 503: UNAVAILABLE_RETRY_S}
    return {
        status: _answer(
            status,
            maintenance_page if status == 503 and maintenance_page else _built_in(status, sentence),
            waits.get(status),
        )
        for status, sentence in _SENTENCES.items()
    }


def _built_in(status: int, sentence: str) -> str:
    return _PAGE.format(title=_TITLES.get(status, HTTPStatus(status).phrase), sentence=sentence)


def _answer(status: int, page: str, retry_after_s: int | None) -> bytes:
    body = page.encode()
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        *([] if retry_after_s is None else [f"Retry-After: {retry_after_s}"]),
    ]
    return "\r\n".join((*head, "", "")).encode() + body
