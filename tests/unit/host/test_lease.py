"""The lease on one host: one holder, known by name; time is the boot clock's."""

from __future__ import annotations

import time

import pytest

from bastide.host.errors import Failure
from bastide.host.lease import take_lease
from tests.unit.host.conftest import Bench


def test_second_taker_is_told_who_since_when_and_till_when(bench: Bench) -> None:
    held = take_lease(bench.machine, who="anna@laptop", source="192.0.2.7", ttl_s=2000.0)
    with pytest.raises(Failure) as refused:
        take_lease(bench.machine, who="ben", source="")
    assert refused.value.code == "leased"
    assert refused.value.message.startswith("anna@laptop (from 192.0.2.7) is at work here since ")
    assert "(for 19" in refused.value.hint or "(for 2000 s)" in refused.value.hint
    held.release()
    take_lease(bench.machine, who="ben", source="").release()


def test_holder_whose_connection_ended_is_waited_for(bench: Bench) -> None:
    held = take_lease(bench.machine, who="anna", source="")
    held.mark_gone()
    began = time.monotonic()
    with pytest.raises(Failure):
        take_lease(bench.machine, who="ben", source="", wait_s=1.6)
    assert time.monotonic() - began > 1.5
    held.release()


def test_wall_clock_that_is_set_back_an_hour_changes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = take_lease(bench.machine, who="anna", source="", ttl_s=2000.0)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    assert 1900 < held.remaining_s() <= 2000
    held.renew()
    assert 1900 < held.remaining_s() <= 2000
    held.release()


def test_damaged_record_of_a_holder_is_still_a_holder(bench: Bench) -> None:
    held = take_lease(bench.machine, who="anna", source="")
    (bench.machine.home / "lease").write_text("garbage")
    with pytest.raises(Failure, match="someone is at work here"):
        take_lease(bench.machine, who="ben", source="")
    held.release()
