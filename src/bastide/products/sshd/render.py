"""sshd on every host: a drop-in that leaves keys and modern algorithms only.

In: HostContext. Out: the drop-in and Debian's own unit, reloaded when it changes.
Holds: an administrator who is logged in by a key stays able to log in: the port and the keys are left as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from bastide.products.context import HostContext
from bastide.products.fragment import Check, Directory, File, Fragment, Unit
from bastide.products.templates import render_template

# Before any other drop-in: sshd takes the first value of each setting.
DROP_IN = "/etc/ssh/sshd_config.d/00-bastide.conf"


@dataclass(frozen=True, kw_only=True, slots=True)
class SshdView:
    """What the template needs."""

    host: str
    root: bool
    """Whether it is root who applies."""


def render(context: HostContext) -> Fragment:
    """Hardened sshd, or nothing of ours where the spec says so."""
    if not context.spec.system.harden_ssh:
        return Fragment(product="sshd", packages=("openssh-server",))
    user = (context.spec.hosts[context.host.name].ssh or context.spec.ssh).user
    text = render_template(
        "bastide.products.sshd", "sshd_config.j2", SshdView(host=context.host.name, root=user == "root")
    )
    return Fragment(
        product="sshd",
        packages=("openssh-server",),
        directories=(Directory(path="/etc/ssh/sshd_config.d"),),
        files=(File(path=DROP_IN, content=text.encode(), mode=0o600),),
        units=(Unit(name="ssh.service", reload_on=(DROP_IN,)),),
        # The folder is there while sshd runs as a service, but not where a socket starts it.
        checks=(Check(name="sshd", argv=("sh", "-c", "mkdir -p /run/sshd && exec /usr/sbin/sshd -t")),),
    )
