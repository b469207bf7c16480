"""etcd on a voter: the register in which the keepers hold and take the primary's role.

In: HostContext. Out: its certificate, unit and the names of the members.
Holds: nothing but the vote is in it: a few hundred bytes, rewritten twice a second. Compaction throws away old
revisions each hour; what it frees is written again, so the file stays small and needs no defragmentation.
"""

from __future__ import annotations

from bastide.policy.identities import VOTER
from bastide.products.context import HostContext
from bastide.products.etcd.view import DATA, FOLDER, FORMED, JOINING, METRICS, USER, EtcdView, derive_view
from bastide.products.fragment import Check, Directory, File, Fragment, Probe, Unit, User
from bastide.products.sandbox import format_sandbox
from bastide.products.templates import render_template

UNIT = "/etc/systemd/system/etcd.service"
_HEALTH = """\
health=$(curl --silent --max-time 3 "$1/health")
# A member that was removed knows of a leader, too, between its start and the moment in which it is told.
case $health in *'"true"'*) since=-5s ;; *) since=-30s ;; esac
if journalctl --unit=etcd.service --since=$since --output=cat | grep -qE "$4"; then
    echo "etcd here lost its data, or is none of those that the voters know: bastide db readmit $5"
    exit 1
fi
case $health in
    *'"true"'*) touch "$2"; rm -f "$3"; exit 0 ;;
esac
# While the voters come up for the first time, one after the other, a running member is all that there can be.
[ ! -e "$2" ] && systemctl is-active --quiet etcd.service && exit 0
echo "etcd is not healthy: ${health:-no answer}; most voters must run and reach each other"
exit 1"""
_STRANGER = (
    "already been bootstrapped|member count is unequal|unmatched member|removed from the cluster|"
    "data-dir used by this member must be removed|ignored by remote peer due to cluster ID mismatch"
)
"""What etcd 3.4 says when it lost its data, was removed, or is new, and the others go on without it."""


def health_argv(host: str) -> tuple[str, ...]:
    """Whether this member takes part; prints why not."""
    return "sh", "-c", _HEALTH, "etcd-health", METRICS, FORMED, JOINING, _STRANGER, host


def render(context: HostContext) -> Fragment:
    """etcd on that host."""
    view = derive_view(
        context,
        format_sandbox("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", ReadWritePaths=DATA),
    )
    pair = context.key_pair(VOTER)
    return Fragment(
        product="etcd",
        packages=("etcd-server", "curl"),
        users=(User(name=USER),),
        directories=(Directory(path=DATA, mode=0o700, owner=USER, group=USER),),
        files=(
            File(path=f"{FOLDER}/tls/certificate.pem", content=pair.certificate_pem.encode()),
            File(path=f"{FOLDER}/tls/key.pem", content=pair.key_pem.encode(), mode=0o640, group=USER, secret=True),
            File(path=f"{FOLDER}/tls/root.pem", content=context.materials.trust_anchor_pem.encode()),
            File(path=f"{FOLDER}/hosts", content=_hosts(view)),
            File(path=UNIT, content=render_template(__package__, "etcd.service.j2", view).encode()),
        ),
        # Certificates are read with each handshake; other members' names and addresses at its start.
        units=(Unit(name="etcd.service", restart_on=(f"{FOLDER}/hosts",)),),
        checks=(Check(name="etcd unit", argv=("systemd-analyze", "verify", "--man=no", UNIT), quiet=True),),
        probes=(
            Probe(
                name="etcd has a leader",
                argv=health_argv(view.host),
                timeout_s=60.0,
            ),
        ),
    )


def _hosts(view: EtcdView) -> bytes:
    # The shared name too: etcd looks up every name of a peer's certificate and wants its address among the answers.
    lines = ["127.0.0.1 localhost", *(f"{m.address} {m.name} {view.allowed}" for m in view.members)]
    return "".join(f"{line}\n" for line in lines).encode()
