"""Hosts whose clock is wrong are left as they are.

In: how far a host's clock is ahead. Out: nothing; raises HostFailed.
Holds: certificates that are not valid yet, or no more, by the clock of whoever looks at them would part the host from the
others the moment that they are there; going back (a rollback) brings none and is never refused.
"""

from __future__ import annotations

from bastide.transport.clock import REFUSED_S, wrong_clock
from bastide.transport.errors import HostFailed


def refuse_wrong_clock(host: str, ahead_s: float) -> None:
    """Raises HostFailed where the clocks are too far apart."""
    if abs(ahead_s) > REFUSED_S:
        raise HostFailed(
            host,
            f"{wrong_clock(ahead_s)}: what is issued now would not be believed there, or not for long",
            operation="observe",
            code="clock",
            hint=f"Which of the two is wrong? `date -u` here, `bastide exec {host} -- date -u` there. Correct that one "
            "(`timedatectl set-ntp true`, or `date -u --set=…`), then apply again.",
        )
