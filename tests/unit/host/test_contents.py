"""Which contents a host shows for a plan's differences: by what they are, never by how they look."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from bastide.bundle.assemble import assemble_bundle
from bastide.host.lifecycle import activate, confirm
from bastide.host.operations import OPERATIONS
from bastide.products.fragment import File, Fragment
from tests.unit.host.conftest import Bench

OPEN, CLOSED, SECRET, THEIRS = "/etc/bastide/p/open", "/etc/bastide/p/closed", "/etc/bastide/p/key", "/etc/theirs"


def shown(bench: Bench) -> set[str]:
    talk: Any = SimpleNamespace(machine=bench.machine)
    return set(OPERATIONS["contents"](talk, {"paths": [OPEN, CLOSED, SECRET, THEIRS]}))


def test_what_is_secret_or_not_ours_stays_and_the_rest_is_shown(bench: Bench) -> None:
    files = (
        File(path=OPEN, content=b"1"),
        File(path=CLOSED, content=b"rules", mode=0o600),
        File(path=SECRET, content=b"s3cr3t", mode=0o600, secret=True),
    )
    wanted = assemble_bundle("h", [Fragment(product="p", files=files)])
    bench.stage(wanted)
    activate(bench.machine, wanted.digest, bench.terms(), bench.tell)
    confirm(bench.machine, wanted.digest, keep=3)
    bench.path(THEIRS).write_text("a password of theirs")
    bench.path(THEIRS).chmod(0o600)
    assert shown(bench) == {OPEN, CLOSED}
    bench.path(CLOSED).write_text("somebody typed a password here")
    assert shown(bench) == {OPEN}, "nobody knows what by hand came into a file that others may not read"
    bench.path(THEIRS).chmod(0o644)
    assert shown(bench) == {OPEN, THEIRS}
