"""One prober a host answers questions one after the other; a broken one is not asked again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastide.transport.endpoint import Endpoint
from bastide.verify import asking
from bastide.verify.asking import AskFailed, Asking, Probers

HERE = Endpoint(host="web1", address="127.0.0.1")


@pytest.fixture
def probers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Probers]:
    """Without SSH: this computer runs the loader."""
    monkeypatch.setattr(asking, "root_argv", lambda endpoint, command: command)
    with Probers() as ready:
        yield ready


def test_many_questions_take_one_process(probers: Probers, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("a word\n")
    begun = probers.take(HERE)
    probers.give_back(begun)
    for _ in range(3):
        assert probers.ask(HERE, "logged", files={"log": str(log)}, words=["word"]) == {"log": ["a word"]}
    assert probers.take(HERE) is begun
    probers.give_back(begun)


def test_a_question_that_fails_leaves_the_prober_for_the_next(probers: Probers) -> None:
    with pytest.raises(AskFailed, match="no-such-question"):
        probers.ask(HERE, "no-such-question")
    assert probers.ask(HERE, "logged", files={}, words=[]) == {}


def test_one_that_died_is_replaced(probers: Probers) -> None:
    prober = probers.take(HERE)
    probers.give_back(prober)
    prober._process.kill()
    with pytest.raises(AskFailed):
        Asking(probers, HERE, "logged", files={}, words=[]).answer()
    assert probers.ask(HERE, "logged", files={}, words=[]) == {}


def test_nothing_remains_when_it_is_closed(probers: Probers) -> None:
    prober = probers.take(HERE)
    probers.give_back(prober)
    assert probers.ask(HERE, "logged", files={}, words=[]) == {}
    probers.close()
    assert isinstance(prober._process, subprocess.Popen) and prober._process.poll() == 0
