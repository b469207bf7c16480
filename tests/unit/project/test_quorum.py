"""One voter goes on alone only where the others cannot agree again by themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bastide.products.etcd.view import DATA, JOINING
from bastide.project import quorum, voters
from bastide.project.database import OrderRefused
from bastide.project.quorum import Found, force_quorum, survey
from bastide.project.target import Target
from tests.unit.project.test_readmit import target as target

STATES: dict[str, Found] = {"db1": "has its data", "db2": "does not answer", "wit1": "has no data"}


def being(monkeypatch: pytest.MonkeyPatch, states: dict[str, Found]) -> None:
    """Hosts that answer so."""

    def shell(_: Target, host: str, script: str) -> str:
        state = states[host]
        if state == "does not answer":
            raise OrderRefused(f"{host} does not answer")
        if "test -d" in script:
            return "yes\n" if state == "has its data" else "no\n"
        if state != "takes part":
            raise OrderRefused(f"{host}: exit status 1")
        return ""

    for module in (voters, quorum):
        monkeypatch.setattr(module, "run_script", shell)


def test_of_what_is_left_everything_is_told(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    being(monkeypatch, STATES)
    assert survey(target, "db1").describe() == "db2 does not answer, wit1 has no data"


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ({"db1": "takes part", "wit1": "takes part"}, "most voters agree"),
        ({"db1": "has no data"}, "nothing to go on with"),
        ({"db1": "does not answer"}, "nothing to go on with"),
        ({"db2": "has its data"}, "db1, db2 have their data, and are most of 3"),
    ],
)
def test_else_it_is_refused(
    target: Target, monkeypatch: pytest.MonkeyPatch, states: dict[str, Found], words: str
) -> None:
    being(monkeypatch, STATES | states)
    with pytest.raises(OrderRefused, match=words):
        survey(target, "db1")


def test_who_is_no_voter_has_nothing_to_force(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    being(monkeypatch, STATES)
    with pytest.raises(OrderRefused, match="no voter"):
        survey(target, "app1")


@pytest.mark.parametrize("comes_up", [True, False])
def test_what_etcd_had_is_kept_and_put_back_where_it_does_not_come_up(
    target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, comes_up: bool
) -> None:
    """The script itself, with programs that do what etcd and systemd would."""
    data, word = tmp_path / "etcd", tmp_path / "joining"
    (data / "member.etcd/member").mkdir(parents=True)
    (data / "member.etcd/member/votes").write_text("old")
    programs = tmp_path / "bin"
    programs.mkdir()
    started = (
        f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n'
        f"if [ $1 = start ] && [ $2 = etcd.service ]; then cat {word} >{tmp_path}/told; "
        f"echo new >{data}/member.etcd/member/votes; fi\n"
    )
    (programs / "systemctl").write_text(started)
    (programs / "sleep").write_text("#!/bin/sh\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    scripts: list[str] = []

    def note(_: Target, __: str, text: str) -> str:
        scripts.append(text)
        return "/kept\n"

    monkeypatch.setattr(quorum, "run_script", note)
    monkeypatch.setattr(quorum, "health_argv", lambda _: ("true",) if comes_up else ("false",))
    assert force_quorum(target, "db1").endswith("is kept in /kept")
    text = scripts[0].replace(DATA, str(data)).replace(JOINING, str(word))
    done = subprocess.run(
        ["sh"], input=text, text=True, capture_output=True, check=False, env={"PATH": f"{programs}:/usr/bin:/bin"}
    )
    assert (done.returncode == 0) is comes_up, done.stderr
    assert (tmp_path / "told").read_text() == "ETCD_FORCE_NEW_CLUSTER=true\n"
    assert not word.exists(), "another start would throw out those that were let in since"
    assert (data / "member.etcd/member/votes").read_text().strip() == ("new" if comes_up else "old")
    kept = [str(path) for path in data.glob("before-*")]
    assert len(kept) == comes_up and done.stdout.split() == kept
