"""Faults for programs: JSON and GitHub's workflow commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from bastide.spec.errors import Related, SpecError
from bastide.spec.formats import format_github, format_json

HERE = Path("/srv/shop")
ERROR = SpecError(
    code="BST037",
    message="'web1' has the address of 'lb1', 100%",
    file=HERE / "a,b:c.yaml",
    line=7,
    column=5,
    length=4,
    hint="give each host an address of its own\nor none",
    excerpt="    rols: [web]",
    related=Related(file=HERE / "bastide.yaml", line=3, column=2, length=2, label="first given here"),
)


def test_json_says_where_with_the_first_column_behind() -> None:
    document = json.loads(format_json([ERROR, replace(ERROR, severity="warning")], relative_to=HERE))
    assert (document["version"], document["errors"], document["warnings"]) == (1, 1, 1)
    fault = document["faults"][0]
    assert (fault["code"], fault["file"], fault["line"], fault["column"], fault["end_column"]) == (
        "BST037", "a,b:c.yaml", 7, 5, 9,
    )  # fmt: skip
    assert fault["related"]["label"] == "first given here" and fault["related"]["line"] == 3
    assert document["faults"][1]["severity"] == "warning"


def test_a_file_as_a_whole_has_no_line() -> None:
    whole = replace(ERROR, line=0, related=None)
    assert json.loads(format_json([whole]))["faults"][0]["line"] is None
    assert "line=" not in format_github([whole])


def test_github_reads_one_command_a_fault_and_no_character_of_ours_ends_it() -> None:
    lines = format_github([ERROR, replace(ERROR, severity="warning")], relative_to=HERE).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning"]
    assert "file=a%2Cb%3Ac.yaml,line=7,col=5,endColumn=9,title=BST037%3A Two hosts with one address::" in lines[0]
    assert lines[0].endswith("100%25; give each host an address of its own%0Aor none")
