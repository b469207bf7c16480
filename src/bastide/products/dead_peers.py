"""Kernel settings by which a host gives up on a peer that lost power.

A machine that loses power sends no reset. Of ours, neither nginx nor MariaDB has a limit of its own for that
(TCP_USER_TIMEOUT), so the kernel gives up after 3 s: on data that nobody acknowledges (3 retries: 0.2 + 0.4 + 0.8 + 1.6 s),
or on silence after a request was acknowledged (keep-alive probes). Measured before: visitors waited until the machine had
booted again; a replica that came back after power loss was sent nothing for a minute, as the primary's thread that had sent
to it before waited in a write (60 s, `net_write_timeout`) and a replica has one such thread.
"""

from bastide.products.context import HostContext

_SYSCTLS = {
    "net.ipv4.tcp_retries2": "3",
    "net.ipv4.tcp_keepalive_time": "1",
    "net.ipv4.tcp_keepalive_intvl": "1",
    "net.ipv4.tcp_keepalive_probes": "2",
}


def dead_peer_sysctls(context: HostContext) -> dict[str, str]:
    """None where visitors connect: their networks may be away for longer than those between hosts."""
    return {} if "balancer" in context.host.roles else dict(_SYSCTLS)
