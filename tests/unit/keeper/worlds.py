"""Observations to decide about, with sensible values for all that a test does not name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bastide.keeper.actions import Decision
from bastide.keeper.decide import decide
from bastide.keeper.facts import Memory, Observation, Peer, Record, Replication, Server

START = Memory(started_s=0.0)
PRIMARY = Record(role="primary", epoch=1)
REPLICA = Record(role="replica", epoch=1)
STREAM = Replication(source="db2.name", io="Yes", sql="Yes", lag_s=0.0, io_errno=0, error="", gtid_io_pos="0-2-5")
SERVER = Server(
    read_only=True,
    gtid_binlog_pos="0-1-5",
    gtid_binlog_state="0-1-5",
    gtid_slave_pos="",
    replication=None,
    semi_sync=False,
    sync_clients=0,
    waiting=0,
    acknowledged=0,
    unacknowledged=0,
)


def peer(host: str = "db2", **facts: Any) -> Peer:
    """A peer that answers as a running replica of epoch 1 with the same history."""
    common = Peer(
        host=host,
        source=f"{host}.name",
        answered=True,
        role="replica",
        epoch=1,
        state="running",
        gtid_binlog_state="0-1-5",
    )
    return replace(common, **facts)


SILENT = Peer(host="db2", source="db2.name", answered=False)


def world(**facts: Any) -> Observation:
    """Data of ours, a server that answers, one peer that does not, a minute after the start."""
    common = Observation(
        now_s=60.0, data="ours", granted=False, record=PRIMARY, server=SERVER, peers=(SILENT,), job=None
    )
    return replace(common, **facts)


def decided(memory: Memory = START, **facts: Any) -> Decision:
    """The decision alone."""
    return decide(memory, world(**facts))[1]


def watched(first_s: float, seconds: float, memory: Memory = START, **facts: Any) -> tuple[Memory, list[Decision]]:
    """The same world looked at every half second."""
    decisions = []
    for step in range(int(seconds * 2) + 1):
        memory, decision = decide(memory, world(now_s=first_s + step / 2, **facts))
        decisions.append(decision)
    return memory, decisions
