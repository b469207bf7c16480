"""What must hold for any sequence of looks at the world."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bastide.keeper.actions import CloseForWrites, Follow, Initialise, OpenForWrites, SemiSync, WriteRecord
from bastide.keeper.datadir import Contents
from bastide.keeper.decide import decide
from bastide.keeper.facts import Observation, Peer, Record, Replication, Server
from bastide.keeper.gtid import find_errant
from tests.unit.keeper.worlds import START

GTIDS = st.sampled_from(["", "0-1-5", "0-1-9", "0-1-5,0-2-6", "0-1-5,0-2-9"])
REPLICATIONS = st.builds(
    Replication,
    source=st.sampled_from(["db2.name", "db3.name", "gone"]),
    io=st.sampled_from(["Yes", "No", "Connecting", "Preparing"]),
    sql=st.sampled_from(["Yes", "No"]),
    lag_s=st.none() | st.floats(0, 100),
    io_errno=st.sampled_from([0, 1236, 1045]),
    error=st.sampled_from(["", "broken"]),
    gtid_io_pos=GTIDS,
)
SERVERS = st.builds(
    Server,
    read_only=st.booleans(),
    gtid_binlog_pos=GTIDS,
    gtid_binlog_state=GTIDS,
    gtid_slave_pos=GTIDS,
    replication=st.none() | REPLICATIONS,
    semi_sync=st.booleans(),
    sync_clients=st.integers(0, 2),
    waiting=st.integers(0, 3),
    acknowledged=st.integers(0, 3),
    unacknowledged=st.just(0),
)


def peers(host: str) -> st.SearchStrategy[Peer]:
    known = st.builds(
        Peer,
        host=st.just(host),
        source=st.just(f"{host}.name"),
        answered=st.just(True),
        role=st.sampled_from([None, "primary", "replica"]),
        epoch=st.integers(0, 3),
        state=st.sampled_from(["running", "starting", "conflict", "seeding"]),
        follows_us=st.booleans(),
        gtid_binlog_state=st.none() | GTIDS,
        gtid_slave_pos=GTIDS,
    )
    return known | st.just(Peer(host=host, source=f"{host}.name", answered=False))


RECORDS = st.builds(
    Record,
    role=st.sampled_from(["primary", "replica"]),
    epoch=st.integers(1, 3),
    seed_gtid=st.none() | st.just("0-1-4"),
)


@st.composite
def looks(draw: st.DrawFn) -> Observation:
    data: Contents = draw(st.sampled_from(["empty", "ours", "ours", "ours", "foreign"]))
    return Observation(
        now_s=draw(st.floats(0, 100)),
        data=data,
        granted=draw(st.booleans()),
        record=draw(RECORDS) if data == "ours" else None,
        server=draw(st.none() | SERVERS) if data == "ours" else None,
        peers=draw(st.tuples(peers("db2"), peers("db3")) | st.just(())),
        job=draw(st.sampled_from([None, "seeding"])) if data == "empty" else None,
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(looks(), min_size=1, max_size=3))
def test_every_decision_is_safe(seen: list[Observation]) -> None:
    memory = START
    times = sorted(s.now_s for s in seen)
    for now_s, look in zip(times, seen, strict=True):
        look = Observation(**{f: getattr(look, f) for f in look.__dataclass_fields__} | {"now_s": now_s})
        memory, decision = decide(memory, look)
        actions, record = decision.actions, look.record
        primaries = [p for p in look.peers if p.answered and p.role == "primary"]

        if look.data == "foreign" or look.job is not None:
            assert actions == ()
        if Initialise() in actions:
            assert look.data == "empty" and look.granted and all(p.role is None for p in look.peers)
        if OpenForWrites() in actions:
            assert record is not None and record.role == "primary"
            assert all(p.epoch < record.epoch for p in primaries), "no other primary of its epoch or a higher one"
        if (
            record is not None
            and record.role == "replica"
            and look.server is not None
            and not look.server.read_only
        ):
            assert actions == (CloseForWrites(),), "a writable replica is closed before anything else"
        for action in actions:
            if isinstance(action, Follow):
                target = next(p for p in look.peers if p.host == action.source)
                assert record is not None and look.server is not None and look.server.read_only
                assert target.role == "primary" and target.epoch >= record.epoch
                assert target.gtid_binlog_state is not None, "nobody follows a primary whose history is unknown"
                assert not find_errant(
                    look.server.gtid_binlog_state, target.gtid_binlog_state, target.gtid_slave_pos
                ), "nobody follows a primary that lacks its transactions"
            if isinstance(action, WriteRecord):
                assert record is not None
                assert action.record.epoch >= record.epoch, "epochs never go back"
                assert action.record.role == "replica", "nobody promotes itself"
            if isinstance(action, SemiSync):
                assert record is not None and record.role == "primary"
        if decision.state == "needs-reclone":
            assert actions == ()


@given(looks())
def test_the_same_look_gives_the_same_decision(look: Observation) -> None:
    assert decide(START, look) == decide(START, look)
