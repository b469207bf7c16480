"""The report: colour only when asked for, nothing that speaks to the terminal, wide and long lines."""

from __future__ import annotations

from pathlib import Path

from bastide.spec.codes import CODES
from bastide.spec.errors import Related, SpecError
from bastide.spec.report import format_errors

ERROR = SpecError(
    code="BST012",
    message="unknown key 'rols'",
    file=Path("/srv/shop/bastide.yaml"),
    line=7,
    column=5,
    length=4,
    hint="did you mean 'roles'?",
    excerpt="    rols: [web]",
)


def test_the_shape() -> None:
    assert format_errors([ERROR], colour=False, relative_to=Path("/srv/shop")) == (
        "error[BST012]: unknown key 'rols'\n"
        " --> bastide.yaml:7:5\n"
        "  |\n"
        "7 |     rols: [web]\n"
        "  |     ^^^^\n"
        "  = help: did you mean 'roles'?\n"
        "\n"
        "1 error; `bastide explain BST012` says more\n"
    )


def test_colour_is_the_only_difference() -> None:
    import re

    plain, coloured = (format_errors([ERROR], colour=colour) for colour in (False, True))
    assert "\x1b" not in plain and "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_a_spec_cannot_speak_to_the_terminal() -> None:
    hostile = "\x1b]0;owned\x07\u202e"
    error = SpecError(
        code="BST012",
        message=hostile,
        file=Path(f"{hostile}.yaml"),
        line=1,
        column=1,
        hint=hostile,
        excerpt=hostile,
    )
    report = format_errors([error], colour=False)
    assert not any(character in report for character in "\x1b\x07\u202e")


def test_wide_characters_and_tabs_keep_the_underline_in_place() -> None:
    error = SpecError(code="BST010", message="m", file=Path("f"), line=1, column=5, length=1, excerpt="\t漢字: x")
    text, underline = format_errors([error], colour=False).splitlines()[3:5]
    assert underline.index("^") == len("1 |     ") + 5
    assert text.endswith("漢字: x")


def test_a_very_long_line_is_cut_around_the_fault() -> None:
    excerpt = "a" * 5000 + "BAD" + "b" * 5000
    error = SpecError(code="BST010", message="m", file=Path("f"), line=1, column=5001, length=3, excerpt=excerpt)
    text, underline = format_errors([error], colour=False).splitlines()[3:5]
    assert len(text) < 160
    assert text[underline.index("^") :].startswith("BAD") and underline.count("^") == 3


def test_the_second_place_has_its_label() -> None:
    related = Related(file=Path("g"), line=12, column=1, length=2, label="first defined here", excerpt="ab: 1")
    error = SpecError(
        code="BST004", message="m", file=Path("f"), line=1, column=1, related=related, excerpt="ab: 2"
    )
    assert "  ::: g:12:1\n   |\n12 | ab: 1\n   | -- first defined here\n" in format_errors([error], colour=False)


def test_every_code_is_explained_in_words() -> None:
    for code, entry in CODES.items():
        assert code.startswith("BST") and len(code) == 6
        assert entry.title and len(entry.text) > 20 and entry.text.endswith(".")
