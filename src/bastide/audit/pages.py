"""The documentation of the rules, made from the rules.

In: the registry. Out: Markdown. Holds: pure but for `write_pages`, which `make docs` calls; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bastide.audit.registry import CATEGORIES, RULES, category
from bastide.audit.rule import Rule

_INTRODUCTION = """\
# Rules of audit

*This page is generated from the rules by `make docs`; edit `src/bastide/audit/rules/`.*

`bastide audit` judges a design before it is built: {count} rules over the spec, its flows and its layout. See
[the how-to](howto/audit.md). `bastide explain TLS001` prints one entry of this page.

- **critical** and **high**: somebody gets in, or the service stops, without anything unusual having to happen.
- **medium**: it takes one thing more. **low**: it makes trouble longer, or harder to see.
- **info** is no failure: worth knowing, and without a better choice here; `--all` shows it.

The grade is capped by the worst finding: F by a critical one, D by a high one (E by five), C by a medium one, B by a
low one, or by a waived one that is high or worse.
"""


def render_rules() -> str:
    """The page, as Markdown."""
    parts = [_INTRODUCTION.format(count=len(RULES)), _table()]
    for name in CATEGORIES.values():
        parts.append(f"## {name}\n")
        parts += ["\n".join(_entry(rule)) for rule in RULES if category(rule.id) == name]
    return "\n".join(parts)


def _table() -> str:
    rows = [f"| [{rule.id}](#{rule.id.lower()}) | {rule.severity} | {rule.title} |" for rule in RULES]
    return "\n".join(["| rule | severity | what |", "| --- | --- | --- |", *rows, ""])


def _entry(rule: Rule) -> Iterator[str]:
    yield f"### {rule.id}\n"
    scope = "; for servers of your own, not for the lab" if rule.servers_only else ""
    yield f"**{rule.title}** ({rule.severity}{scope}).\n"
    yield f"{rule.why}\n"
    yield f"*What to do:* {rule.fix}\n"


def write_pages(folder: Path) -> None:
    """Write the generated page; the only effect of this package, for `make docs`."""
    (folder / "audit.md").write_text(render_rules(), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
