"""Every interleaving, to a bound: never two writers, never an acknowledged write lost; and what shows that this can fail.

The bounds below are small enough for every run. `BASTIDE_MODEL=wide` visits several hundred thousand worlds.
"""

from __future__ import annotations

import os
from collections import deque

import pytest

from bastide.keeper.room import LOW_BYTES
from tests.unit.keeper.model import NAMES, Rules, World, squeeze, start, successors

TWO, LOST = "two servers take writes", "an acknowledged write is lost"
WIDE = os.environ.get("BASTIDE_MODEL") == "wide"


def judge(world: World, *, rogue: bool, late: bool = False, given_up: bool = False) -> str | None:
    """What is wrong with this world. `rogue`: a second writer is expected, and only what the owner holds counts. `late`:
    the fence is about to kill; whose lease ran out counts for no writer any more. `given_up`: an operator took it upon
    himself to lose writes."""
    writable = [node for node in world.nodes if node.up and not node.read_only and (node.lease or not late)]
    if len(writable) > 1 and not rogue:
        return TWO
    if given_up:
        return None
    # Whoever may serve next without a human has everything; whoever serves now shows everything.
    owner = world.nodes[NAMES.index(world.seat.owner)]
    judged = [owner] if rogue else [owner, *writable]
    if any(not world.acked <= {write for _, write in node.log} for node in judged):
        return LOST
    return None


def explore(
    world: World,
    rules: Rules,
    *,
    rogue: bool = False,
    late: bool = False,
    given_up: bool = False,
    most: int = 500_000,
) -> tuple[int, str | None, str]:
    """Breadth first: how many worlds, the first fault, and the shortest way to it."""
    world = squeeze(world)
    came: dict[World, tuple[World, str] | None] = {world: None}
    queue = deque([world])
    while queue:
        at = queue.popleft()
        fault = judge(at, rogue=rogue, late=late, given_up=given_up)
        if fault:
            return len(came), fault, way(came, at)
        assert len(came) < most, "the bound is too wide"
        for event, after in successors(at, rules):
            after = squeeze(after)
            if after not in came:
                came[after] = (at, event)
                queue.append(after)
    return len(came), None, ""


def way(came: dict[World, tuple[World, str] | None], world: World) -> str:
    found = []
    step = came[world]
    while step is not None:
        found.append(step[1])
        step = came[step[0]]
    return "\n".join(reversed(found))


# Writes, deaths (of server, keeper, host), lost or late messages, patience that ends or news that stands still.
NARROW = [(2, 1, 0, 0), (1, 0, 1, 1), (2, 0, 1, 0)]
BROAD = [(2, 1, 0, 1), (1, 1, 1, 0), (1, 2, 0, 0)]


@pytest.mark.parametrize(("writes", "kills", "losses", "lates"), NARROW + BROAD * WIDE)
@pytest.mark.parametrize("strict", [False, True][: 1 + WIDE])
def test_no_interleaving_loses_a_write_or_has_two_writers(
    writes: int, kills: int, losses: int, lates: int, strict: bool
) -> None:
    world = start(writes=writes, kills=kills, losses=losses, lates=lates)
    worlds, fault, how = explore(world, Rules(strict=strict))
    print(f"{worlds} worlds")
    assert fault is None, f"{fault}:\n{how}"
    assert worlds > 300, "that was hardly a search"


# Disks that fill up, of either host, a little or to the end.
@pytest.mark.parametrize(
    ("writes", "kills", "losses", "lates", "fills"),
    [
        (2, 0, 0, 0, 1),
        (1, 1, 0, 0, 1),
        (1, 0, 1, 0, 1),
        (1, 0, 0, 0, 2),
        *[(1, 1, 0, 1, 1), (2, 0, 1, 0, 1)] * WIDE,
    ],
)
def test_who_leaves_for_want_of_room_loses_nothing(
    writes: int, kills: int, losses: int, lates: int, fills: int
) -> None:
    world = start(writes=writes, kills=kills, losses=losses, lates=lates, fills=fills)
    worlds, fault, how = explore(world, Rules())
    print(f"{worlds} worlds")
    assert fault is None, f"{fault}:\n{how}"
    assert worlds > 300, "that was hardly a search"


def test_who_has_no_room_leaves_in_the_model_too() -> None:
    """The control: such worlds are visited, or the test above would prove nothing."""
    world = squeeze(start(writes=0, kills=0, losses=0, lates=0, fills=1))
    seen, queue = {world}, deque([world])
    while queue:
        for _, after in successors(queue.popleft(), Rules()):
            after = squeeze(after)
            if after not in seen:
                seen.add(after)
                queue.append(after)
    for left in (LOW_BYTES - 1, 0):
        full = [w for w in seen if w.nodes[0].room == left]
        assert any(w.seat.owner == "db2" and w.seat.phase == "open" for w in full), left
    assert not any(w.seat.owner == "db2" for w in seen if w.nodes[0].room > LOW_BYTES)


def test_an_operator_who_gives_up_an_owner_makes_no_second_writer() -> None:
    world, rules = start(writes=1, kills=1, losses=0, lates=2, alone=True), Rules(order="abandon")
    worlds, fault, how = explore(world, rules, given_up=True)
    assert fault is None, f"{fault}:\n{how}"
    assert worlds > 300
    assert explore(world, rules)[1] == LOST, "the control: it is about losing what only the owner has"


def test_without_fencing_two_servers_take_writes() -> None:
    assert explore(start(writes=1, kills=0, losses=1, lates=0), Rules(fencing=False))[1] == TWO


def test_without_fencing_revocation_still_keeps_every_acknowledged_write() -> None:
    """A paused machine cannot be fenced; what it answers afterwards nobody acknowledges."""
    assert explore(start(writes=2, kills=0, losses=1, lates=0), Rules(fencing=False), rogue=True)[1] is None


def test_without_fencing_and_without_revocation_a_write_is_lost() -> None:
    rules = Rules(fencing=False, revocation=False)
    assert explore(start(writes=2, kills=0, losses=1, lates=0), rules, rogue=True)[1] == LOST


def test_an_heir_that_opens_without_having_applied_everything_loses_a_write() -> None:
    assert explore(start(writes=1, kills=0, losses=0, lates=1), Rules(catching_up=False))[1] == LOST


def test_who_does_not_wait_for_an_answer_that_may_come_late_has_two_writers() -> None:
    assert explore(start(writes=1, kills=0, losses=1, lates=1), Rules(settling=False))[1] == TWO


# Without the register (`losses`: renewals that do not come through), by the standby's word.
@pytest.mark.parametrize(
    ("writes", "kills", "losses", "lates", "alone"),
    [
        (1, 0, 1, 0, False),
        (1, 1, 0, 0, False),
        (0, 0, 1, 2, True),
        *[(1, 0, 1, 1, False), (2, 0, 1, 0, False), (1, 1, 1, 0, False), (0, 1, 1, 1, True)] * WIDE,
    ],
)
def test_with_failsafe_no_interleaving_loses_a_write_or_has_two_writers(
    writes: int, kills: int, losses: int, lates: int, alone: bool
) -> None:
    world = start(writes=writes, kills=kills, losses=losses, lates=lates, alone=alone)
    worlds, fault, how = explore(world, Rules(failsafe=True))
    print(f"{worlds} worlds")
    assert fault is None, f"{fault}:\n{how}"
    assert worlds > 300, "that was hardly a search"


def test_a_standby_that_breaks_its_promise_makes_two_writers() -> None:
    rules = Rules(failsafe=True, promising=False)
    assert explore(start(writes=1, kills=0, losses=1, lates=0), rules)[1] == TWO


@pytest.mark.parametrize("reviving", [False, True])
def test_a_promise_that_gave_back_a_lease_that_ran_out_would_make_two_writers(reviving: bool) -> None:
    """A taking that etcd did not answer may still be carried out, and the fence may be late."""
    rules = Rules(failsafe=True, fencing=False, reviving=reviving)
    fault = explore(start(writes=0, kills=0, losses=2, lates=0), rules, late=True)[1]
    assert fault == (TWO if reviving else None)


def test_a_primary_that_may_have_named_a_standby_and_asks_nobody_makes_two_writers() -> None:
    rules = Rules(failsafe=True, asking=False)
    assert explore(start(writes=0, kills=0, losses=1, lates=2, alone=True), rules)[1] == TWO
