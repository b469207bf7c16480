"""Plans of real machines: what is shown, that a saved one is done exactly or refused, and no secret anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bastide.apply.expected import fingerprint
from bastide.apply.observe import fetch_old_contents, observe_host
from bastide.bundle.assemble import assemble_bundle
from bastide.bundle.model import HostBundle
from bastide.plan.cost import derive_costs
from bastide.plan.diff import diff_host
from bastide.plan.text import PlanView, format_plan, plan_json
from bastide.project.desired import Desired
from bastide.project.history import read_history
from bastide.project.planfile import load_plan, save_plan
from bastide.project.planning import PlannedChanges, plan_view
from bastide.topology.model import Service, Topology
from bastide.transport.ssh import open_conversation
from tests.lab.apply.bundles import CANARY, web_bundle, web_fragment, with_file, worker_fragment
from tests.lab.apply.conftest import HOSTS, Ground
from tests.lab.argv_watch import watch_argv
from tests.waiting import wait_until

pytestmark = pytest.mark.lab
NGINX = "/etc/bastide/nginx/nginx.conf"


def looked_at(ground: Ground, *bundles: HostBundle) -> PlannedChanges:
    """As `plan_target`, with bundles made by hand."""
    plans, old, marks = [], {}, {}
    for bundle in bundles:
        with open_conversation(ground.endpoints[bundle.host]) as conversation:
            facts = observe_host(conversation, bundle)
            plan = diff_host(bundle, facts)
            plans.append(plan)
            old[bundle.host] = fetch_old_contents(conversation, plan)
            marks[bundle.host] = fingerprint(facts, plan)
    return PlannedChanges(
        plans=tuple(plans), old=old, fingerprints=marks, primary=None, holder=None, left=(), wrong_clocks=(),
        unreachable=(),
    )  # fmt: skip


def view(ground: Ground, *bundles: HostBundle) -> PlanView:
    """As it is shown."""
    planned = looked_at(ground, *bundles)
    services = tuple(Service(product="nginx", host=host, unit="nginx.service") for host in HOSTS)
    topology: Topology = replace(ground.topology, services=services)
    shown = plan_view(planned.plans, topology, planned.old, None)
    return replace(shown, bundles={b.host: b for b in bundles})


def test_plan_of_one_line_shows_it_once_in_rollout_order_with_its_cost(ground: Ground) -> None:
    ground.apply(*(web_bundle(host, ground.release, text="old") for host in HOSTS))
    shown = format_plan(view(ground, *(web_bundle(host, ground.release, text="new") for host in HOSTS)))
    assert shown.splitlines() == [
        "web1, then web2 (batch 1, 2 of 2)",
        "  ~ /etc/bastide/nginx/nginx.conf",
        "      @@ -8,5 +8,5 @@",
        "         server {",
        "           listen 8080;",
        '      -    location / { return 200 "old\\n"; }',
        '      +    location / { return 200 "new\\n"; }',
        f"           location /release/ {{ alias {ground.release.path}/; }}",
        "         }",
        "  * reload nginx.service   a reload; requests that run are finished",
        "",
        "4 changes on 2 of 2 hosts, cost in service: reload",
    ]


def test_plan_shows_drift_apart_from_change_and_says_what_someone_did(ground: Ground) -> None:
    before = web_bundle("web1", ground.release, worker_fragment())
    ground.apply(before)
    ground.sh("web1", f"sed -i s/hello/hacked/ {NGINX}; systemctl stop worker; rm /etc/bastide/nginx/key.pem")
    ground.sh(
        "web1", "sed -i s/=.0/=0/ /etc/systemd/system/worker.service; echo x >> /etc/sysctl.d/60-bastide.conf"
    )
    changed = with_file(worker_fragment(), "/etc/bastide/setup/input", b"2\n")
    shown = format_plan(view(ground, web_bundle("web1", ground.release, changed)))
    change, _, drift = shown.partition("  drift: changed on the host by hand, apply puts it back\n")
    assert "~ /etc/bastide/setup/input\n" in change and "* restart setup.service" in change
    assert "nginx" not in change and "worker" not in change, "what nobody planned is no change"
    assert (
        '-    location / { return 200 "hacked\\n"; }' in drift
        and '+    location / { return 200 "hello\\n"; }' in drift
    )
    assert "key.pem (secret, removed on the host by someone)" in drift
    assert "* start worker.service" in drift or "* restart worker.service" in drift
    assert "* reload nginx.service" in drift and "~ kernel settings" in drift
    document = plan_json(view(ground, web_bundle("web1", ground.release, changed)))
    assert 0 < document["drift"] < document["changes"]
    assert shown.splitlines()[-1].startswith(
        f"{document['changes']} changes on 1 of 1 host, {document['drift']} of them drift"
    )


def test_files_that_come_and_go_are_shown_whole(ground: Ground) -> None:
    ground.apply(web_bundle("web1", ground.release, worker_fragment()))
    gone = format_plan(view(ground, web_bundle("web1", ground.release)))
    assert "- /etc/systemd/system/worker.service\n      @@ -1,7 +0,0 @@\n      -[Unit]\n" in gone
    assert "- user shopworker" in gone and "- unit worker.service stops and goes" in gone
    ground.apply(web_bundle("web1", ground.release))
    come = format_plan(view(ground, web_bundle("web1", ground.release, worker_fragment())))
    assert "+ /etc/systemd/system/worker.service\n      @@ -0,0 +1,7 @@\n      +[Unit]\n" in come
    assert CANARY not in gone + come


def test_saved_plan_is_done_exactly_or_not_at_all(ground: Ground, tmp_path: Path) -> None:
    ground.apply(*(web_bundle(host, ground.release, text="old") for host in HOSTS))
    new = [web_bundle(host, ground.release, text="new") for host in HOSTS]
    target, file = ground.target(), tmp_path / "the.plan"
    desired = Desired(topology=ground.topology, bundles={b.host: b for b in new}, blobs=ground.blobs)
    save_plan(file, target, desired, looked_at(ground, *new), made="now", who="anna", commit="")
    saved = load_plan(file)
    assert file.stat().st_mode & 0o777 == 0o600
    # Somebody changes one host by hand: the world is not that of the plan, and no host changes.
    ground.sh("web2", f"sed -i s/old/hand/ {NGINX}")
    refused = ground.apply(*new, expected=saved.fingerprints)
    assert (refused.hosts["web1"].outcome, refused.hosts["web2"].phase) == ("not_reached", "compare")
    assert "someone applied, or changed something by hand" in refused.hosts["web2"].message
    assert "old" in ground.sh("web1", f"cat {NGINX}") and "hand" in ground.sh("web2", f"cat {NGINX}")
    ground.sh("web2", f"sed -i s/hand/old/ {NGINX}")
    done = ground.apply(*new, expected=saved.fingerprints)
    assert done.ok and done.changes == saved.changes == 4
    # Once it is done, doing it again is another world, too.
    assert not ground.apply(*new, expected=saved.fingerprints).ok


def test_planted_secret_is_in_its_file_alone(ground: Ground, tmp_path: Path) -> None:
    """argv, environments, journals, plans, plan files, events, modes of every generation; each search finds a decoy."""
    first, second = f"{CANARY}-first", f"{CANARY}-second"

    def bundle(secret: str, text: str) -> HostBundle:
        wanted = with_file(
            web_fragment(ground.release, text=text), "/etc/bastide/nginx/key.pem", f"{secret}\n".encode()
        )
        return assemble_bundle("web1", [wanted, worker_fragment()])

    target, seen = ground.target(), []
    environments: set[bytes] = set()
    over = threading.Event()
    watcher = threading.Thread(target=_collect_environments, args=(environments, over))
    watcher.start()
    try:
        with watch_argv() as argv:
            wait_until(lambda: _planted(environments))
            for secret, text in ((first, "one"), (second, "two")):
                wanted = bundle(secret, text)
                planned = looked_at(ground, wanted)
                desired = Desired(topology=ground.topology, bundles={"web1": wanted}, blobs=ground.blobs)
                save_plan(tmp_path / "plan", target, desired, planned, made="now", who="anna", commit="")
                shown = replace(
                    plan_view(planned.plans, ground.topology, planned.old, None), bundles=desired.bundles, full=True
                )
                seen += [
                    (tmp_path / "plan").read_text(),
                    format_plan(shown),
                    json.dumps(plan_json(shown)),
                    repr(planned),
                ]
                result = ground.apply(wanted, expected=load_plan(tmp_path / "plan").fingerprints)
                assert result.ok
                seen += [repr(ground.events), repr(result)]
            ground.sh("web1", "bastide-host rollback")
    finally:
        over.set()
        watcher.join()
    seen += [(ground.state / "journal").read_text(), repr(read_history(target))]
    seen += [
        ground.sh("web1", "journalctl --no-pager -o cat; cat /var/lib/bastide/*.json /var/lib/bastide/journal")
    ]
    assert not [text for text in seen if CANARY in text]
    assert not argv.showing(CANARY)
    assert not [found for found in environments if CANARY.encode() in found]
    decoy = f"echo {CANARY} > /var/lib/bastide/generations/decoy; chmod 644 /var/lib/bastide/generations/decoy; "
    trees = "/var/lib/bastide /etc /run /tmp /var/log /srv /var/tmp"
    loose = f"find {trees} -type f -perm /o+rwx -exec grep -ls {CANARY} {{}} +"
    assert ground.sh("web1", decoy + loose) == "/var/lib/bastide/generations/decoy", "only what was planted"
    ground.sh("web1", "rm /var/lib/bastide/generations/decoy")
    held = ground.sh("web1", f"stat -c '%a %U:%G' $(grep -rls {CANARY} {trees})").splitlines()
    assert len(held) >= 2, "two generations hold one each"
    assert set(held) <= {"640 root:www-data", "600 root:root"}, held


def _planted(seen: set[bytes]) -> bool:
    """Whether a process's environment was seen; a busy computer may let a look come later than it lasts."""
    subprocess.run(["sleep", "0.3"], env={"PLANTED": "planted-environment"}, check=True)
    return any(b"planted-environment" in found for found in tuple(seen))


def _collect_environments(found: set[bytes], over: threading.Event) -> None:
    """Environments of all processes; the machines' are this kernel's, too. Our own test process knows the canary."""
    while not over.wait(0.03):
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid():
                try:
                    found.add((process / "environ").read_bytes())
                except OSError:
                    continue


def test_cost_is_never_said_too_low(ground: Ground) -> None:
    services = tuple(Service(product="nginx", host=host, unit="nginx.service") for host in HOSTS)
    pair: Topology = replace(ground.topology, services=services)
    alone = replace(pair, hosts={"web1": pair.hosts["web1"]})
    unit = with_file(web_fragment(ground.release), "/etc/systemd/system/nginx.service", b"")
    ground.apply(web_bundle("web1", ground.release))
    plan = looked_at(ground, assemble_bundle("web1", [unit])).plans[0]
    assert "drained restart" in derive_costs(plan, pair, None)
    assert "interruption" in derive_costs(plan, alone, None)
