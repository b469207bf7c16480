"""What the dashboard tells people to type exists."""

from __future__ import annotations

import re
from pathlib import Path

import bastide.hub
from bastide.cli.main import VERBS

WEB = Path(bastide.hub.__file__).parent / "web"
_COMMAND = re.compile(r"""[`'">]bastide ([a-z]+)""")


def named_verbs(text: str) -> set[str]:
    return set(_COMMAND.findall(text))


def test_every_command_in_the_pages_is_a_verb() -> None:
    files = [*WEB.glob("js/*.js"), *WEB.glob("*.html")]
    named = {verb for file in files for verb in named_verbs(file.read_text())}
    assert {"ssh", "logs", "dashboard"} <= named
    assert named <= VERBS.keys()


def test_one_that_does_not_exist_would_be_seen() -> None:
    assert named_verbs("commands([`bastide conjure ${name}`, 'bastide ssh web1'])") == {"conjure", "ssh"}
    assert not {"conjure"} <= VERBS.keys()
