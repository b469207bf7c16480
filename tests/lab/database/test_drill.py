"""`bastide drill` on real machines: it finds what happened, finds what was tampered with, and always puts back."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bastide.lab.machines import MachineState, machine_state
from bastide.project.opening import open_project
from tests.lab.commands import Commands
from tests.lab.database.ledger import DATABASES, await_pair, primary_of, sql

pytestmark = pytest.mark.lab
_LONG_S = 480
# Its keeper would put an end to that within its next look, perhaps before anybody's eyes were there twice.
_TAKE_WRITES = """
trap 'systemctl kill -s CONT keeper' EXIT
systemctl kill -s STOP keeper
sql() { mariadb --no-defaults --socket=/run/mysqld/mysqld.sock -e "$1"; }
seen() { grep -cE ', true, ([2-9]|[1-9][0-9]+), ' /var/lib/bastide-drill/looks.log; }
sql 'SET GLOBAL read_only=0'
for i in $(seq 100); do [ "$(seen)" -lt 2 ] || break; sleep 0.1; done
sql 'SET GLOBAL read_only=1'
"""


def drill(commands: Commands, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status and scenarios by name."""
    await_pair(commands, within_s=120)
    done = commands.run("drill", "--json", *words, timeout_s=_LONG_S)
    assert done.stdout.startswith("{"), f"exit {done.returncode}\n{done.stderr}"
    found = {scenario["name"]: scenario for scenario in json.loads(done.stdout)["scenarios"]}
    print(
        *(f"{s['name']}: {s['verdict']} {s['outage_write_s']} s {s['reasons']}" for s in found.values()), sep="\n"
    )
    return done.returncode, found


def broken(commands: Commands, *words: str) -> subprocess.Popen[str]:
    """A drill whose fault has been ordered."""
    await_pair(commands, within_s=120)
    process = commands.start("drill", "--json", *words)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "; expected: " in line:
            return process
    raise AssertionError("".join(said))


def wait_for(what: Callable[[], bool], within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < end, f"not within {within_s} s"
        time.sleep(0.2)


def machine(commands: Commands, name: str) -> MachineState:
    lab = open_project(commands.spec).lab_name
    return next(state for state in machine_state(lab) if state.name == name)


def test_predictions_are_what_happens_and_nothing_is_lost(pair: Commands, tmp_path: Path) -> None:
    report = tmp_path / "drill.html"
    code, found = drill(pair, "primary-host-lost", "kill:app1/nginx", "--report", str(report))
    assert code == 0, [scenario["reasons"] for scenario in found.values()]
    takeover, outage = found["primary-host-lost"], found["kill:app1/nginx"]
    assert takeover["expected"] == "reads and writes go on" and outage["expected"] == "reads and writes stop"
    assert takeover["evidence"]["before"]["primary"] == takeover["evidence"]["after"]["standby"]
    for scenario in found.values():
        assert scenario["acknowledged"] > 0 and scenario["lost"] == scenario["duplicated"] == 0, scenario
        assert scenario["two_writers_s"] == 0 and scenario["looks"] > 0 and scenario["agreed"]
    assert outage["failed"] > 0 and "kill app1/nginx" in report.read_text()
    for host in ("app1", *DATABASES):
        left = pair.ask(host, "ls /var/lib/bastide-drill /etc/systemd/system/bastide-drill* 2>/dev/null || true")
        assert left == "", "nothing of it is left on a host"
    assert sql(pair, primary_of(pair), 'SHOW TABLES FROM ledger LIKE "bastide_drill"') == ""


def test_nothing_rests_on_the_time_of_day(pair: Commands) -> None:
    primary = primary_of(pair)
    process = broken(pair, "clock:primary")
    wait_for(lambda: abs(int(sql(pair, primary, "SELECT UNIX_TIMESTAMP()")) - time.time() - 3600) < 60)
    said, _ = process.communicate(timeout=_LONG_S)
    (scenario,) = json.loads(said)["scenarios"]
    assert scenario["verdict"] == "met", scenario["reasons"]
    assert scenario["lost"] == 0 and scenario["evidence"]["before"]["primary"] == primary
    assert {"mariadb.service", "keeper.service"} <= set(
        scenario["evidence"]["effect"]["an hour ahead for"][primary]
    )
    left = "ls /etc/faketimerc /run/systemd/system/mariadb.service.d; grep -l faketime /proc/[0-9]*/maps"
    assert pair.ask(primary, f"{{ {left}; }} 2>/dev/null || true") == ""


def test_a_certificate_that_ran_out_turns_visitors_away_and_nobody_else(pair: Commands) -> None:
    code, found = drill(pair, "expire-edge")
    scenario = found["expire-edge"]
    assert code == 0 and scenario["expected"] == "reads and writes stop", scenario["reasons"]
    assert scenario["evidence"]["effect"]["expired"] == {"app1": ["/etc/bastide/haproxy/edge.pem"]}
    assert scenario["failed"] > 0 and scenario["failures"].keys() == {"SSLCertVerificationError"}, scenario
    pair.do("exec", "client", "--", "curl", "-sfo", "/dev/null", "https://keeper.test/")


def test_what_is_lost_or_doubled_and_two_writers_are_found(pair: Commands) -> None:
    """The negative control of the whole: somebody tampers while a drill runs, and it says what."""
    process = broken(pair, "kill:wit1")
    # Until it runs again nothing is whole, and so the drill goes on, however slow this computer is.
    pair.ask("app1", "systemctl stop nginx")
    try:
        primary = primary_of(pair)
        replica = next(host for host in DATABASES if host != primary)
        table = "ledger.bastide_drill"
        sql(pair, primary, f"DELETE FROM {table} ORDER BY n LIMIT 1")
        sql(pair, primary, f"INSERT INTO {table} (id) SELECT id FROM {table} ORDER BY n LIMIT 1")
        pair.ask(replica, _TAKE_WRITES)
    finally:
        pair.ask("app1", "systemctl start nginx")
    out, errors = process.communicate(timeout=_LONG_S)
    assert process.returncode == 3, errors
    (scenario,) = json.loads(out)["scenarios"]
    assert scenario["verdict"] == "failed"
    assert scenario["lost"] == 1 and scenario["duplicated"] == 1, scenario
    assert scenario["two_writers_s"] > 0, scenario


def test_an_interrupted_drill_puts_back_what_it_broke(pair: Commands) -> None:
    process = broken(pair, "freeze:wit1")
    wait_for(lambda: machine(pair, "wit1").frozen)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=_LONG_S)
    assert process.returncode == 130 and not machine(pair, "wit1").frozen
    assert "nothing was left broken" in pair.run("drill", "--restore").stderr


def test_after_a_killed_drill_the_next_one_puts_back_first(pair: Commands) -> None:
    process = broken(pair, "cut:wit1")
    wait_for(lambda: machine(pair, "wit1").cut)
    process.kill()
    process.communicate(timeout=60)
    assert machine(pair, "wit1").cut, "nobody is left who could put it back"
    done = pair.run("drill", "--restore", timeout_s=_LONG_S)
    assert done.returncode == 0 and "put back: cut:wit1" in done.stderr, done.stderr
    assert not machine(pair, "wit1").cut
    pair.await_healthy()


def test_an_unwell_system_is_left_alone(pair: Commands) -> None:
    pair.ask("app1", "systemctl stop nginx")
    try:
        refused = pair.run("drill", "kill:wit1", timeout_s=_LONG_S)
        assert refused.returncode == 1 and "not well" in refused.stderr and "app1/nginx" in refused.stderr
        assert machine(pair, "wit1").running
    finally:
        pair.ask("app1", "systemctl start nginx")
    pair.await_healthy()


def test_a_release_is_rolled_out_under_load_and_back(pair: Commands) -> None:
    running = "readlink /proc/[0-9]*/cwd | grep ^/srv/bastide/app/ | sort -u"
    before = pair.ask("app1", running)
    code, found = drill(pair, "deploy")
    assert code == 0, found["deploy"]["reasons"]
    assert found["deploy"]["evidence"]["effect"] == {"released on": ["app1"]} and found["deploy"]["lost"] == 0
    assert pair.ask("app1", running) == before, "back on what the spec says"
    text = pair.spec.read_text()
    pair.spec.write_text(text + "web: {workers: 2}\n")
    try:
        refused = pair.run("drill", "deploy", timeout_s=_LONG_S)
        assert refused.returncode == 1 and "not what the spec says" in refused.stderr, refused.stderr
    finally:
        pair.spec.write_text(text)


def test_this_computers_own_disk_is_not_filled(pair: Commands) -> None:
    await_pair(pair, within_s=120)
    refused = pair.run("drill", "full:primary", timeout_s=_LONG_S)
    assert refused.returncode == 1, refused.stderr
    assert "this computer's disk" in refused.stderr and "bastide up --disk" in refused.stderr
