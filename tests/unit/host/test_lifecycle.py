"""Activation: what changes is restarted, what fails goes back, what was interrupted is finished."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bastide.bundle.assemble import assemble_bundle
from bastide.bundle.model import HostBundle
from bastide.host.errors import Failure
from bastide.host.lifecycle import activate, confirm, guard, guard_boot, return_to_previous
from bastide.host.observe import observe
from bastide.host.record import as_of, read_record
from bastide.host.state import current_digest, held_lock, read_activation, write_activation
from bastide.host.store import is_built
from bastide.plan.diff import diff_host
from bastide.plan.facts import read_facts
from bastide.products.fragment import File, Fragment, Probe, Unit
from tests.unit.host.conftest import Bench

UNIT = "/etc/systemd/system/a.service"


def bundle(text: str = "1", unit: str = "u", *extra: Fragment, probe: str = "probe-good") -> HostBundle:
    """A unit with a configuration file that it reloads."""
    fragment = Fragment(
        product="a",
        files=(
            File(path="/etc/bastide/a/a.conf", content=text.encode()),
            File(path=UNIT, content=unit.encode()),
        ),
        units=(Unit(name="a.service", reload_on=("/etc/bastide/a",)),),
        probes=(Probe(name="p", argv=(probe,), timeout_s=0.1),),
    )
    return assemble_bundle("h", [fragment, *extra])


def apply(bench: Bench, wanted: HostBundle) -> None:
    """Stage, activate and confirm."""
    bench.stage(wanted)
    activate(bench.machine, wanted.digest, bench.terms(), bench.tell)
    confirm(bench.machine, wanted.digest, keep=3)


def changes(bench: Bench, wanted: HostBundle) -> list[str]:
    """The plan's steps for this machine as it is."""
    answer = observe(bench.machine, {"digest": wanted.digest, "manifest": wanted.manifest})
    plan = diff_host(wanted, read_facts("h", answer, wanted.manifest))  # type: ignore[arg-type]
    return [type(step).__name__ for step in plan.steps]


def test_first_apply_then_nothing_to_do(bench: Bench) -> None:
    assert changes(bench, bundle()) == ["WriteFile", "WriteFile", "StartUnit"]
    apply(bench, bundle())
    assert bench.path("/etc/bastide/a/a.conf").read_text() == "1"
    assert bench.path("/etc/bastide").is_symlink()
    assert bench.systemd.active == bench.systemd.enabled == {"a.service"}
    assert changes(bench, bundle()) == []


def test_changed_configuration_reloads_and_changed_unit_restarts(bench: Bench) -> None:
    apply(bench, bundle())
    bench.systemd.calls.clear()
    assert changes(bench, bundle("2")) == ["WriteFile", "ReloadUnit"]
    apply(bench, bundle("2"))
    assert bench.systemd.calls == ["reload a.service"]
    bench.systemd.calls.clear()
    assert changes(bench, bundle("2", "v")) == ["WriteFile", "RestartUnit"]
    apply(bench, bundle("2", "v"))
    assert bench.systemd.calls == ["daemon-reload", "restart a.service"]


@pytest.mark.parametrize("probe", ["probe-bad", "probe-crash"])
def test_what_fails_goes_back(bench: Bench, probe: str) -> None:
    apply(bench, bundle("1", "u"))
    bad = bundle("2", "v", probe=probe)
    bench.stage(bad)
    with pytest.raises(Failure) as failed:
        activate(bench.machine, bad.digest, bench.terms(), bench.tell)
    assert failed.value.hint == "The previous generation is back."
    assert bench.path("/etc/bastide/a/a.conf").read_text() == "1"
    assert bench.path(UNIT).read_text() == "u"
    assert bench.systemd.calls[-2:] == ["daemon-reload", "restart a.service"]
    assert changes(bench, bundle("1", "u")) == [], "a host that went back is settled"


def test_first_apply_that_fails_leaves_the_host_as_it_was(bench: Bench) -> None:
    bench.path(UNIT).write_text("someone's own")
    bench.path("/lib/systemd/system/d.service").write_text("debian's")
    bench.systemd.active |= {"a.service", "d.service"}
    bench.systemd.enabled |= {"d.service"}
    replaced = Fragment(product="x", units=(Unit(name="a.service", stops_before=("d.service",)),))
    wanted = bundle("1", "u", replaced, probe="probe-bad")
    bench.stage(wanted)
    with pytest.raises(Failure):
        activate(bench.machine, wanted.digest, bench.terms(), bench.tell)
    assert bench.path(UNIT).read_text() == "someone's own"
    assert not bench.path("/etc/bastide").is_symlink()
    assert current_digest(bench.machine) == ""
    assert bench.systemd.active == {"a.service", "d.service"}
    assert bench.systemd.enabled == {"d.service"}
    assert not bench.path("/etc/systemd/system/d.service").is_symlink(), "it is not masked any more"


def test_systemd_reads_its_files_once_in_a_first_apply(bench: Bench) -> None:
    """With nine hosts in a lab on two cores, each further time is half a second of waiting."""
    bench.path("/lib/systemd/system/d.service").write_text("debian's")
    replaced = Fragment(product="x", units=(Unit(name="a.service", stops_before=("d.service",)),))
    apply(bench, bundle("1", "u", replaced))
    assert [c for c in bench.systemd.calls if c.split()[0] != "stop"] == [
        "disable d.service", "mask d.service", "enable a.service", "daemon-reload", "restart a.service",
    ]  # fmt: skip


def test_unit_that_its_package_only_enabled_is_not_enabled_again(bench: Bench) -> None:
    bench.path("/lib/systemd/system/a.service").write_text("debian's")
    bench.systemd.enabled |= {"a.service"}
    wanted = bundle("1", "u", probe="probe-bad")
    bench.stage(wanted)
    with pytest.raises(Failure):
        activate(bench.machine, wanted.digest, bench.terms(), bench.tell)
    assert bench.systemd.active == bench.systemd.enabled == set()


def test_rollback_that_fails_too_says_so_and_leaves_a_trace(bench: Bench) -> None:
    apply(bench, bundle("1"))
    bad = bundle("2", probe="probe-bad")
    bench.stage(bad)
    (bench.machine.generations / bundle("1").digest / "manifest.json").unlink()
    with pytest.raises(Failure) as failed:
        activate(bench.machine, bad.digest, bench.terms(), bench.tell)
    assert "THE ROLLBACK FAILED TOO" in failed.value.hint
    assert read_activation(bench.machine)["phase"] == "failed"
    apply(bench, bundle("3"))
    assert changes(bench, bundle("3")) == [], "another apply gets the host out of it"


def test_unit_that_does_not_start_is_named(bench: Bench) -> None:
    bench.systemd.broken.add("a.service")
    bench.stage(bundle())
    with pytest.raises(Failure) as failed:
        activate(bench.machine, bundle().digest, bench.terms(), bench.tell)
    assert failed.value.code == "unit"
    assert "a.service" in failed.value.message


def test_what_left_is_stopped_and_removed(bench: Bench) -> None:
    more = Fragment(
        product="b",
        files=(File(path="/etc/systemd/system/b.service", content=b"b"), File(path="/etc/b.conf", content=b"b")),
        units=(Unit(name="b.service"),),
    )
    bench.path("/etc/b.conf").write_text("from a package")
    apply(bench, bundle("1", "u", more))
    assert changes(bench, bundle()) == ["RemoveUnit", "RemoveFile", "RemoveFile"]
    apply(bench, bundle())
    assert bench.systemd.active == bench.systemd.enabled == {"a.service"}
    assert not bench.path("/etc/systemd/system/b.service").exists()
    assert bench.path("/etc/b.conf").read_text() == "from a package", "the original is given back"
    assert changes(bench, bundle()) == []


def test_drift_is_a_change_and_is_mended(bench: Bench) -> None:
    apply(bench, bundle())
    bench.path("/etc/bastide/a/a.conf").write_text("3")
    assert changes(bench, bundle()) == ["WriteFile", "ReloadUnit"]
    bench.systemd.calls.clear()
    apply(bench, bundle())
    assert bench.systemd.calls == ["reload a.service"]
    bench.path(UNIT).chmod(0o600)
    assert changes(bench, bundle()) == ["WriteFile", "RestartUnit"]
    bench.systemd.active.clear()
    bench.path(UNIT).chmod(0o644)
    assert changes(bench, bundle()) == ["StartUnit"]


@pytest.mark.parametrize("at", range(1, 12))
def test_interrupted_at_any_program_then_again(bench: Bench, at: int) -> None:
    """Die at the n-th call of a program, as kill -9 would, then apply again: the same state as without."""
    b = Fragment(
        product="b",
        files=(File(path="/etc/systemd/system/b.service", content=b"b"),),
        units=(Unit(name="b.service"),),
    )
    old = bundle("1", "u", b)
    apply(bench, old)
    new, count = bundle("2", "v"), 0

    class Killed(BaseException):
        pass

    def dying(argv: object) -> object:
        nonlocal count
        count += 1
        if count == at:
            raise Killed
        return bench.systemd(argv)  # type: ignore[arg-type]

    bench.stage(new)
    machine = replace(bench.machine, run=dying)  # type: ignore[arg-type]
    try:
        activate(machine, new.digest, bench.terms(), bench.tell)
    except Killed:
        assert changes(bench, new), "an unfinished apply is seen"
    bench.systemd.calls.clear()
    apply(bench, new)
    assert bench.path("/etc/bastide/a/a.conf").read_text() == "2"
    assert bench.path(UNIT).read_text() == "v"
    assert bench.systemd.active == {"a.service"}
    assert changes(bench, new) == []


def test_guard_undoes_what_nobody_confirmed_and_only_that(bench: Bench) -> None:
    apply(bench, bundle("1"))
    bench.stage(bundle("2"))
    activate(bench.machine, bundle("2").digest, bench.terms(confirm_s=0.3), bench.tell)
    token = read_activation(bench.machine)["token"]
    guard(bench.machine, "another", bench.tell)
    assert bench.path("/etc/bastide/a/a.conf").read_text() == "2"
    guard(bench.machine, token, bench.tell)
    assert bench.path("/etc/bastide/a/a.conf").read_text() == "1"
    with pytest.raises(Failure, match="cannot be confirmed"):
        confirm(bench.machine, bundle("2").digest, keep=3)


def test_guard_leaves_what_was_confirmed(bench: Bench) -> None:
    apply(bench, bundle("1"))
    guard(bench.machine, read_activation(bench.machine)["token"], bench.tell)
    assert bench.path("/etc/bastide/a/a.conf").read_text() == "1"


def test_guard_finishes_what_a_dead_process_left(bench: Bench) -> None:
    apply(bench, bundle("1"))
    bench.stage(bundle("2"))
    left = {**read_activation(bench.machine), "digest": bundle("2").digest, "previous": bundle("1").digest}
    write_activation(bench.machine, {**left, "phase": "activating", "token": "t"})  # type: ignore[typeddict-item]
    guard(bench.machine, "t", bench.tell)
    assert read_activation(bench.machine)["phase"] == "rolled-back"
    assert changes(bench, bundle("1")) == []


def test_boot_undoes_what_was_not_confirmed_before_it(bench: Bench) -> None:
    boot = bench.path("/proc/sys/kernel/random/boot_id")
    boot.parent.mkdir(parents=True)
    boot.write_text("first")
    apply(bench, bundle("1"))
    bench.stage(bundle("2"))
    activate(bench.machine, bundle("2").digest, bench.terms(confirm_s=9999), bench.tell)
    boot.write_text("second")
    guard_boot(bench.machine, bench.tell)
    assert bench.path("/etc/bastide/a/a.conf").read_text() == "1"
    guard_boot(bench.machine, bench.tell)
    assert bench.path("/etc/bastide/a/a.conf").read_text() == "1"


def test_console_goes_back(bench: Bench) -> None:
    apply(bench, bundle("1"))
    apply(bench, bundle("2"))
    return_to_previous(bench.machine, bench.tell)
    assert bench.path("/etc/bastide/a/a.conf").read_text() == "1"
    assert changes(bench, bundle("1")) == []


def test_drift_that_was_put_back_is_the_same_generation_of_the_same_apply(bench: Bench) -> None:
    """An apply that only mends a host must not take from it what it was before, or nothing could be rolled back."""
    for number, text in ((1, "1"), (2, "2"), (3, "2")):
        wanted = bundle(text)
        bench.stage(wanted)
        activate(bench.machine, wanted.digest, bench.terms(number=number), bench.tell)
        confirm(bench.machine, wanted.digest, keep=3)
    entries = read_record(bench.machine)
    assert [entry["number"] for entry in entries] == [1, 2]
    assert [as_of(entries, number) for number in (1, 2, 3)] == [entries[0], entries[1], entries[1]]


def test_a_generation_that_came_back_is_of_the_apply_that_brought_it_back(bench: Bench) -> None:
    """The control: another generation in between makes it a new one."""
    for number, text in ((1, "1"), (2, "2"), (3, "1")):
        wanted = bundle(text)
        bench.stage(wanted)
        activate(bench.machine, wanted.digest, bench.terms(number=number), bench.tell)
        confirm(bench.machine, wanted.digest, keep=3)
    assert [entry["number"] for entry in read_record(bench.machine)] == [2, 3]


def test_old_generations_are_pruned_but_never_the_way_back(bench: Bench) -> None:
    for text in "12345":
        apply(bench, bundle(text))
    kept = [text for text in "12345" if is_built(bench.machine, bundle(text).digest)]
    assert kept == ["3", "4", "5"]
    assert list(bench.machine.blobs.iterdir()) == []


def test_lock_names_its_holder(bench: Bench) -> None:
    with (
        held_lock(bench.machine, who="anna@desk", wait_s=0.0),
        pytest.raises(Failure, match="anna@desk"),
        held_lock(bench.machine, who="berta", wait_s=0.0),
    ):
        pass
    with held_lock(bench.machine, who="berta", wait_s=0.0):
        pass


def test_grants_are_written_before_units_start(bench: Bench) -> None:
    bench.stage(bundle())
    activate(bench.machine, bundle().digest, bench.terms(grants=("database-initialise",)), bench.tell)
    assert bench.path("/run/bastide/grants/database-initialise").is_file()


def test_foreign_etc_bastide_is_refused(bench: Bench) -> None:
    bench.path("/etc/bastide").mkdir()
    bench.stage(bundle())
    with pytest.raises(Failure, match="not ours"):
        activate(bench.machine, bundle().digest, bench.terms(), bench.tell)
    assert bench.path("/etc/bastide").is_dir()
