"""Spellings of paths: what must not be served is known when it is seen."""

from __future__ import annotations

import pytest

from bastide.verify.paths import SPELLINGS, read_routes, shows_what_it_must_not, spell
from bastide.verify.raw import RawAnswer


def answer(body: str) -> RawAnswer:
    return RawAnswer(status=200, request_id="a", content=b"HTTP/1.1 200 OK\r\n\r\n" + body.encode())


@pytest.mark.parametrize("body", ["root:x:0:0:root:/root:/bin/bash", "-----BEGIN PRIVATE KEY-----", "live\n"])
def test_a_file_or_an_answer_from_inside_is_known(body: str) -> None:
    assert shows_what_it_must_not(answer(body))


def test_an_ordinary_page_is_none() -> None:
    assert not shows_what_it_must_not(answer("<p>we are live\n</p>"))


def test_every_spelling_is_a_target_of_its_own() -> None:
    targets = [spell(spelling, "/static/") for spelling in SPELLINGS]
    assert len(set(targets)) == len(targets)
    assert all(target.startswith("/") and " " not in target and "{" not in target for target in targets)


def test_routes_are_told_by_tier() -> None:
    assert read_routes(answer(""), {}) == {}
