"""Kernel settings by which a host gives up on a peer that lost power.

A machine that loses power sends no reset. Of ours, neither nginx nor MariaDB has a limit of its own for that
(TCP_USER_TIMEOUT), so the kernel gives up after 3 s: on data that nobody acknowledges, or on silence after a request was
acknowledged (keep-alive probes). `tcp_retries2` = 2 stands for 1.4 s since the first repetition, looked at whenever one is
due (0.2, 0.6, 1.4, 3.0 s after sending): it is over after 3.0 s. With 3 it stands for 3.0 s, of which 2.8 have passed by
then, and the next look is after 6.2. Measured, visitors whose application host lost power: 6.8 s with 3, 3.5 s with 2.

Measured without any: visitors waited until the machine had booted again; a replica that came back after power loss was sent
nothing for a minute, as the primary's thread that had sent to it before waited in a write (60 s, `net_write_timeout`) and a
replica has one such thread.
"""

from bastide.products.context import HostContext

_SYSCTLS = {
    "net.ipv4.tcp_retries2": "2",
    "net.ipv4.tcp_keepalive_time": "1",
    "net.ipv4.tcp_keepalive_intvl": "1",
    "net.ipv4.tcp_keepalive_probes": "2",
}


def dead_peer_sysctls(context: HostContext) -> dict[str, str]:
    """None where visitors connect: their networks may be away for longer than those between hosts."""
    return {} if "balancer" in context.host.roles else dict(_SYSCTLS)
