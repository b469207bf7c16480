"""A spec edited until audit finds nothing that an edit removes.

In: a Project, the target, the day. Out: `Fixed`: new texts of its files, what was removed and what is left to people.
Nothing is written but below a temporary folder. Holds: each edit leaves a spec that loads and removes its finding, or
is taken back; findings are taken worst first, and all are judged anew after each edit.
"""

from __future__ import annotations

import difflib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bastide.audit.edits import CannotEdit, expand_hosts, set_value
from bastide.audit.judge import Finding
from bastide.audit.rule import AddHosts, SetValue
from bastide.project.auditing import Audited, audit_project
from bastide.project.opening import Project
from bastide.spec.errors import SpecInvalid
from bastide.spec.load import load_spec
from bastide.spec.nodes import locate_node
from bastide.spec.source import read_document

Wanted = Literal["auto", "lab", "servers"]
_Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """What an audit's edits make of a spec."""

    before: Mapping[Path, str]
    after: Mapping[Path, str]
    removed: tuple[Finding, ...]
    left: tuple[tuple[Finding, str], ...]
    """What a person has to do, and why."""

    @property
    def changed(self) -> tuple[Path, ...]:
        """Files that are to be written: of a spec and its overlay often one alone."""
        return tuple(file for file, text in self.after.items() if text != self.before[file])

    def diff(self) -> str:
        """The change, as `diff -u` shows it."""
        lines: list[str] = []
        for file, text in self.after.items():
            lines += difflib.unified_diff(
                self.before[file].splitlines(), text.splitlines(), str(file.name), str(file.name), lineterm=""
            )
        return "\n".join(lines)

    def write(self) -> None:
        """Replace the files, each by one rename."""
        for file in self.changed:
            beside = file.with_name(f".{file.name}.new")
            beside.write_text(self.after[file], encoding="utf-8")
            beside.chmod(file.stat().st_mode & 0o777)
            beside.replace(file)


def fix_spec(project: Project, wanted: Wanted, *, today: str) -> Fixed:
    """Edit until nothing is left that an edit removes."""
    files = project.loaded.files
    with tempfile.TemporaryDirectory(prefix="bastide-fix-") as folder:
        copies = {file: Path(folder, file.name) for file in files}
        for file, copy in copies.items():
            shutil.copyfile(file, copy)
        removed, left = _loop(project, list(copies.values()), wanted, today)
        after = {file: copy.read_text(encoding="utf-8") for file, copy in copies.items()}
    before = {file: file.read_text(encoding="utf-8") for file in files}
    return Fixed(before=before, after=after, removed=tuple(removed), left=tuple(left))


def _loop(
    project: Project, copies: list[Path], wanted: Wanted, today: str
) -> tuple[list[Finding], list[tuple[Finding, str]]]:
    removed: list[Finding] = []
    refused: dict[_Key, str] = {}
    audited = _judge(project, copies, wanted, today)
    while finding := next((f for f in audited.report.findings if f.edits and _key(f) not in refused), None):
        texts = {copy: copy.read_text(encoding="utf-8") for copy in copies}
        reason = _apply(finding, audited, copies)
        if not reason:
            try:
                edited = _judge(project, copies, wanted, today)
                if _key(finding) not in {_key(f) for f in edited.report.findings}:
                    removed.append(finding)
                    audited = edited
                    continue
                reason = "no edit removes it"
            except SpecInvalid as invalid:
                reason = f"the edit does not fit: {invalid.errors[0].message}"
        for copy, text in texts.items():
            copy.write_text(text, encoding="utf-8")
        refused[_key(finding)] = reason
    left = [(f, refused.get(_key(f), "a person has to decide")) for f in audited.report.findings]
    return removed, left


def _key(finding: Finding) -> _Key:
    return finding.rule.id, finding.element


def _judge(project: Project, copies: list[Path], wanted: Wanted, today: str) -> Audited:
    loaded = load_spec(copies[0], environment=project.environment, check_files=False)
    copy = Project(file=project.file, environment=project.environment, loaded=loaded)
    return audit_project(copy, wanted, today=today)


def _apply(finding: Finding, audited: Audited, copies: list[Path]) -> str:
    """Make the edits; a reason why not, or nothing."""
    if audited.target == "servers" and any(isinstance(edit, AddHosts) for edit in finding.edits):
        needed = ", ".join(f"{e.count} with the role {e.role}" for e in finding.edits if isinstance(e, AddHosts))
        return f"it needs further servers ({needed}): give their addresses in `hosts`, then run this again"
    spec = audited.subject.spec
    for edit in finding.edits:
        values = expand_hosts(edit, spec) if isinstance(edit, AddHosts) else (edit,)
        for value in values:
            try:
                _write(value, copies)
            except (CannotEdit, SpecInvalid) as error:
                return str(error)
    return ""


def _write(value: SetValue, copies: list[Path]) -> None:
    """In the overlay if the value stands there, else in the spec itself."""
    for copy in reversed(copies):
        document = read_document(copy)
        _, _, found = locate_node(document.root, value.path)
        if found == len(value.path) or copy == copies[0]:
            copy.write_text(set_value(document, value), encoding="utf-8")
            return
