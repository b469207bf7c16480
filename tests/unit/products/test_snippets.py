"""From a line of a rendered file back to the user's snippet; lines of ours are never blamed on a user."""

from __future__ import annotations

from bastide.products.snippets import locate_line, trace_refusals
from tests.unit.specs import make_spec

SPEC = make_spec(
    balancer={
        "virtual_ip": "198.18.0.5",
        "interface": "pub0",
        "snippets": {"global": "tune.one 1\n\ntune.two 2\n", "backend": "# note\nhttp-response set-header X y"},
    },
    database={"snippet": "# From the spec: web.snippets.http\nsort_buffer_size = 1"},
)
CFG = """\
global
    maxconn 5
    # From the spec: balancer.snippets.global
    tune.one 1

    tune.two 2

defaults
    # From the spec: no.such.place
    mode http
"""


def test_a_line_of_the_snippet_is_found_and_no_other() -> None:
    path = ("balancer", "snippets", "global")
    found = {number: locate_line(SPEC, CFG, number) for number in range(1, 12)}
    assert {number: place for number, place in found.items() if place} == {4: (path, 0), 5: (path, 1), 6: (path, 2)}


def test_each_frontend_that_repeats_a_snippet_leads_to_the_same_line() -> None:
    cfg = CFG + CFG
    said = [f"[ALERT] (7) : config : parsing [/x.cfg:{n}] : unknown keyword 'tune.two'" for n in (6, 16)]
    [refusal] = trace_refusals(SPEC, {"/x.cfg": cfg}, said)
    assert (refusal.line, refusal.word) == (2, "tune.two")


def test_what_a_checker_says_of_our_own_lines_or_other_files_concerns_no_snippet() -> None:
    said = [
        "[ALERT] (7) : config : parsing [/x.cfg:2] : our own fault",
        "[ALERT] (7) : config : parsing [/other.cfg:4] : another file",
        "[ALERT] (7) : config : Error(s) found in configuration file : /x.cfg",
        "mariadbd: unknown variable 'nothing-of-ours=1'",
    ]
    assert trace_refusals(SPEC, {"/x.cfg": CFG}, said) == ()


def test_mariadb_names_an_option_and_no_line() -> None:
    files = {"/etc/bastide/mariadb/mariadb.cnf": ""}
    [refusal] = trace_refusals(SPEC, files, ["0 [ERROR] mariadbd: unknown variable 'sort-buffer-size=1'"])
    assert (refusal.path, refusal.line) == (("database", "snippet"), 1)
