"""Going on without the register: what a primary needs for that, and what its standby may promise. Pure.

In: the seat as last seen, and whether a proposal may still be on its way. Out: whether to go on, to ask, to promise.

Only two hosts may ever take the seat (rule 4 of `takeover.py`): the owner, and the standby that is named in it. So a
primary that cannot reach the register may go on

1. alone, if nobody is named and no proposal of its own may still name somebody (`settled`): there is nobody who could
   take over, and nobody can be named without it;
2. else by its standby's word. The standby treats its promise as if it had seen the seat renewed at that moment: it
   takes nothing for SILENCE_S. The primary counts FENCE_S from when it *asked*, which was before. So a promise gives
   exactly what a renewal gives, by the same clocks; it needs no memory, because a keeper that starts waits as long.

A lease that ran out is not given back so. While it runs, no taking can be on its way: the standby sends one only when
it has seen neither renewal nor asked-for promise for longer than a lease lasts. Afterwards one may be: etcd may have it,
and carry it out when its voters meet again; a promise says nothing of that.

The standby promises only to whom it sees in the open seat, of that very epoch. A seat that its holder left (`vacant`)
may be taken at once, as ever: who left it writes no more.
"""

from __future__ import annotations

from bastide.keeper.seat import Seat


def goes_on_alone(seat: Seat, *, settled: bool) -> bool:
    """Whether the open primary needs nobody's word."""
    return seat.standby is None and settled


def may_promise(seat: Seat | None, host: str, *, asker: str, epoch: int) -> bool:
    """Whether this host may promise the asker to take nothing for SILENCE_S."""
    return (
        seat is not None and asker != host and seat.holder == asker and seat.phase == "open" and seat.epoch == epoch
    )


def takes_in_silence(seat: Seat | None, wanted: Seat, host: str) -> bool:
    """Whether this proposal takes the seat from a holder of whom nothing was heard."""
    return seat is not None and seat.holder not in ("", host) and wanted.holder == host
