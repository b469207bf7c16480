"""The dashboard's files, shipped inside the program.

In: `hub/web/`. Out: routes. Holds: only files that were there at the start are served: no path leads anywhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TYPES = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "woff2": "font/woff2",
    "json": "application/json",
    "txt": "text/plain",
}


def static_routes() -> list[Route]:
    """`/` is index.html, and `/tv` is tv.html."""
    return [
        Route(
            f"/{path.removesuffix('.html').removesuffix('index')}",
            _serve(item.read_bytes(), TYPES[path.rpartition(".")[2]]),
        )
        for path, item in _walk(files("bastide.hub").joinpath("web"), "")
        if path.rpartition(".")[2] in TYPES
    ]


def _serve(content: bytes, media_type: str):  # type: ignore[no-untyped-def]
    etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}

    async def endpoint(request: Request) -> Response:
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return endpoint


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for item in sorted(folder.iterdir(), key=lambda i: i.name):
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        else:
            yield f"{prefix}{item.name}", item
