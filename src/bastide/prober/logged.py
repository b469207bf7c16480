"""What the request logs of this host say about given words.

In: files and words. Out: the newest lines that hold one of them. Nothing else of a log leaves the host.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LOOKED_AT = 8 << 20


def find_lines(request: "Mapping[str, Any]") -> "dict[str, list[str]]":
    """`files`: name -> path; `words`. A file that is not there has no lines."""
    words = [str(word).encode() for word in request["words"]]
    return {name: _lines(str(path), words) for name, path in request["files"].items()}


def _lines(path: str, words: "list[bytes]") -> "list[str]":
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LOOKED_AT))
            recent = file.read()
    except FileNotFoundError:
        return []
    return [line.decode("utf-8", "replace") for line in recent.split(b"\n") if any(word in line for word in words)]
