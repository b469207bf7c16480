"""A planned switchover, on the side of the primary that hands over.

In: Settings, the server, who is told. Out: a server that takes no more writes, with a standby that has applied all.
Holds: the standby catches up before writes stop; whatever fails, writes go on here.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bastide.keeper.announce import Announcer
from bastide.keeper.clock import now_s
from bastide.keeper.gtid import covers
from bastide.keeper.peers import ask_applied
from bastide.keeper.seating import Board
from bastide.keeper.server import ServerClient, ServerError
from bastide.keeper.settings import PeerSettings, Settings

BEFORE_S, CLOSED_S = 3.0, 1.5
"""How long the standby may take to catch up before writes stop, and afterwards."""
HEARD_S = 0.05
"""How long it waits for the proxies to have heard of it."""
ASK_S = 0.01


def close_and_wait(
    settings: Settings, server: ServerClient, board: Board, announcer: Announcer, permitted: Callable[[], bool]
) -> None:
    """Take no more writes. Raises ServerError where the standby does not catch up; writes go on then."""
    me, peer = settings.host, settings.peers[0]
    _await_applied(peer, server.position(), BEFORE_S)
    board.closing = True
    try:
        # New connections wait in the proxies; those that are open may still read.
        announcer.say({me: "stopping"}, wait_s=HEARD_S)
        _await_applied(peer, server.stop_writes(), CLOSED_S)
    except ServerError:
        server.take_writes(permitted)
        board.closing = False
        announcer.say({me: "up"})
        raise


def _await_applied(peer: PeerSettings, position: str, within_s: float) -> None:
    end = now_s() + within_s
    while not covers(ask_applied(peer, position), position):
        if now_s() >= end:
            raise ServerError(f"switchover: {peer.host} does not catch up; this host stays the primary")
        time.sleep(ASK_S)
