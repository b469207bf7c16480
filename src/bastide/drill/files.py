"""Scenarios as small YAML files: those that come with Bastide, and the project's own in `drills/` beside the spec.

In: a file. Out: Scenario. Raises ScenarioInvalid with every fault, at its line.

    name: web-tier-loses-one
    proves: Losing one of two web servers costs no visitor a page.
    fault: {kind: kill, target: first:web}
    hold: 8s
    expect: {reads: go_on, writes: go_on, within: 5s, failed: 0}

`expect` may be left out: then it is what audit predicts.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bastide.drill.scenario import KINDS, WHOLE, WITHIN_S, Expectation, FaultSpec, Scenario
from bastide.spec.errors import Fault, Keys, SpecError, SpecInvalid
from bastide.spec.located import Listing
from bastide.spec.nodes import Plain, to_plain
from bastide.spec.source import read_document
from bastide.spec.values import parse_duration

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_KEYS: dict[Keys, tuple[str, ...]] = {
    (): ("name", "proves", "fault", "hold", "expect"),
    ("fault",): ("kind", "target", "peers", "share"),
    ("expect",): ("reads", "writes", "within", "failed"),
}
_COURSES = ("go_on", "stop")


class ScenarioInvalid(SpecInvalid):
    """A scenario's file cannot be used; `errors` holds every reason."""


def shipped_scenarios() -> tuple[Scenario, ...]:
    """Those that come with Bastide."""
    return read_folder(Path(str(files("bastide.drill"))) / "scenarios")


@cache
def read_folder(folder: Path) -> tuple[Scenario, ...]:
    """Every scenario of a folder, by name; none where there is no folder. Raises ScenarioInvalid with all faults."""
    found: list[Scenario] = []
    errors: list[SpecError] = []
    for file in sorted(folder.glob("*.yaml")):
        try:
            found.append(read_scenario(file))
        except SpecInvalid as invalid:
            errors.extend(invalid.errors)
    if errors:
        raise ScenarioInvalid(tuple(errors))
    return tuple(found)


def read_scenario(file: Path) -> Scenario:
    """One file. Raises ScenarioInvalid, SpecInvalid."""
    document = read_document(file)
    faults = _Faults()
    plain = to_plain(document.root)
    assert isinstance(plain, dict)
    scenario = _scenario(plain, faults)
    listing = Listing(root=document.root, documents=(document,))
    errors = (*document.errors, *(listing.locate(fault) for fault in faults.found))
    if errors or scenario is None:
        raise ScenarioInvalid(errors)
    return scenario


class _Faults:
    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, path: Keys, code: str, message: str, hint: str | None = None, *, key: bool = False) -> None:
        self.found.append(Fault(path=path, code=code, message=message, hint=hint, at="key" if key else "value"))


def _scenario(plain: dict[str, Plain], faults: _Faults) -> Scenario | None:
    said: dict[str, Any] = dict(plain)
    _unknown((), said, faults)
    for key in ("name", "proves", "fault"):
        if key not in said:
            faults.add((key,), "BST011", f"a scenario needs `{key}`")
    name = str(said.get("name", ""))
    if "name" in said and not _NAME.fullmatch(name):
        faults.add(("name",), "BST017", f"'{name}' cannot name a scenario", "use a-z, 0-9 and dashes")
    fault = _fault(said.get("fault"), faults)
    hold_s = _duration(("hold",), said.get("hold", "6s"), faults)
    expect = _expectation(said["expect"], faults) if said.get("expect") not in (None, "predicted") else None
    if faults.found or fault is None:
        return None
    return Scenario(name=name, proves=str(said["proves"]), fault=fault, hold_s=hold_s, expect=expect)


def _fault(said: Any, faults: _Faults) -> FaultSpec | None:
    if said is None:
        return None
    if not isinstance(said, dict):
        faults.add(("fault",), "BST010", "a fault is a mapping", "write fault: {kind: kill, target: web1}")
        return None
    _unknown(("fault",), said, faults)
    kind = str(said.get("kind", ""))
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"kinds: {', '.join(KINDS)}"
        faults.add(("fault", "kind"), "BST013", f"there is no fault '{kind}'", hint)
        return None
    targets, peers = _names(said.get("target")), _names(said.get("peers"))
    if bool(targets) == (kind in WHOLE):
        wanted = "has no target" if kind in WHOLE else "needs a `target`"
        faults.add(
            ("fault", "target"), "BST017", f"a fault '{kind}' {wanted}", "such as web1, primary, first:web, */nginx"
        )
    if (kind == "part") != bool(peers):
        faults.add(("fault", "peers"), "BST017", "`peers` belong to the fault 'part', which needs them")
    share = said.get("share", "20%") if kind == "loss" else said.get("share", "0%")
    matched = re.fullmatch(r"(\d{1,2}|100)%", str(share))
    if not matched or (kind != "loss" and "share" in said):
        faults.add(
            ("fault", "share"), "BST017", f"'{share}' is no share of packets", "such as 20%, of the fault 'loss'"
        )
        return None
    return FaultSpec(kind=kind, targets=targets, peers=peers, share=int(matched[1]) / 100)


def _expectation(said: Any, faults: _Faults) -> Expectation | None:
    if not isinstance(said, dict):
        faults.add(
            ("expect",),
            "BST010",
            "expect is `predicted` or a mapping",
            "write expect: {reads: go_on, writes: stop}",
        )
        return None
    _unknown(("expect",), said, faults)
    for key in ("reads", "writes"):
        if said.get(key) not in _COURSES:
            hint = f"one of {', '.join(_COURSES)}"
            faults.add(("expect", key), "BST013" if key in said else "BST011", f"what do {key} do?", hint)
    failed = said.get("failed")
    if failed is not None and (not isinstance(failed, int) or isinstance(failed, bool) or failed < 0):
        faults.add(("expect", "failed"), "BST017", f"'{failed}' is no number of failed reads")
    within_s = _duration(("expect", "within"), said["within"], faults) if "within" in said else WITHIN_S
    if faults.found:
        return None
    return Expectation(
        reads=said["reads"], writes=said["writes"], why="the scenario says so", within_s=within_s, failed=failed
    )


def _unknown(path: Keys, said: dict[str, Any], faults: _Faults) -> None:
    known = _KEYS[path]
    for key in said:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"keys: {', '.join(known)}"
            faults.add((*path, key), "BST012", f"there is no key '{key}' here", hint, key=True)


def _duration(path: Keys, said: Any, faults: _Faults) -> float:
    try:
        return float(parse_duration(said))
    except ValueError as error:
        faults.add(path, "BST017", str(error))
        return 0.0


def _names(said: Any) -> tuple[str, ...]:
    if said is None:
        return ()
    return tuple(str(one) for one in said) if isinstance(said, list) else (str(said),)
