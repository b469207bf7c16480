"""What somebody is told about the voters.

In: spec and topology. Out: alert rules over etcd's figures.
Holds: a vote that is one loss away from failing is a ticket; one that has failed is a page, for the primary is
fenced then.
"""

from __future__ import annotations

from bastide.products.rules import Alert, Group, fresh
from bastide.spec.model import Spec
from bastide.topology.model import Topology


def derive_rules(spec: Spec, topology: Topology) -> tuple[Group, ...]:
    """Groups of a layout with voters."""
    voters = len(topology.tier("voter"))
    if not voters:
        return ()
    leading, heard = fresh("etcd_server_has_leader"), fresh('up{job="etcd"}')
    # A monitor that hears no voter knows nothing of the vote, and says itself that it is deaf.
    hearing = f"on () (count({heard}) > 0)"
    return (
        Group(
            name="etcd",
            every_s=5,
            rules=(
                Alert(
                    name="VoteLost",
                    expr=f"((count({leading} == 1) or vector(0)) < {voters // 2 + 1}) and {hearing}",
                    lasting_s=15,
                    severity="page",
                    summary="Only {{ $value }} of "
                    f"{voters} voters agree on a leader: the primary database is fenced",
                    look="journal of etcd on each voter, and the network between them; where most are lost for ever, "
                    "`bastide db force-quorum`",
                    anchor="database",
                ),
                Alert(
                    name="VoterMissing",
                    expr=f"((count({leading} == 1) or vector(0)) < {voters}) and {hearing}",
                    lasting_s=60,
                    severity="ticket",
                    summary=f"{{{{ $value }}}} of {voters} voters take part: the next loss may stop the database",
                    look="`bastide status`, then the journal of etcd on the missing voter",
                    anchor="database",
                ),
                Alert(
                    name="VoteSlow",
                    expr="increase(etcd_server_leader_changes_seen_total[15m]) > 5",
                    lasting_s=0,
                    severity="ticket",
                    summary="The voter {{ $labels.host }} saw {{ $value }} changes of leader in 15 minutes",
                    look="disk and CPU of the voters: etcd must write within a second",
                    anchor="database",
                ),
                Alert(
                    name="VoterDiskGrows",
                    expr="etcd_mvcc_db_total_size_in_bytes > 134217728",
                    lasting_s=60,
                    severity="ticket",
                    summary="etcd on {{ $labels.host }} keeps {{ $value | humanize1024 }}B; half of what it may",
                    look="what else writes to it: the keepers' own data is a few MB; `etcdctl compact` and `defrag`",
                    anchor="database",
                ),
            ),
        ),
    )
