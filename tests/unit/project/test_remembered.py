"""What is remembered of a compilation holds for as long as everything that was read for it stands as it did."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

import bastide.project.remembered as subject
from bastide.project.inputs import Inputs, watched_inputs
from bastide.project.remembered import Asked, recall, remember
from bastide.transport.endpoint import Endpoint, endpoint_from_plain, endpoint_to_plain

JUMP = Endpoint(host="gate", address="192.0.2.1", user="ops", identity_file=Path("/keys/id"))
WEB = Endpoint(host="web1", address="10.0.0.1", port=2222, known_hosts=Path("/known"), alias="web1", jump=JUMP)


MANIFEST = {"host": "web1", "files": [{"path": "/etc/x", "sha256": "0" * 64}]}


class Bundle:
    manifest = MANIFEST


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    (tmp_path / ".bastide/lab").mkdir(parents=True)
    (tmp_path / "bastide.yaml").write_text("name: shop\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").write_text("one")
    return Asked(file=tmp_path / "bastide.yaml", environment=None, target="auto")


def compiled(asked: Asked) -> Inputs:
    """A compilation that reads the spec, looks through the application, and looks for what is not there."""
    folder = asked.file.parent
    for path in (asked.file, folder / "app/main.py"):
        os.utime(path)
    with watched_inputs() as inputs:
        asked.file.read_text()
        list((folder / "app").iterdir())
        with pytest.raises(FileNotFoundError):
            (folder / "overlay.yaml").read_text()
        (folder / "out").write_text("what is written is no input")
    inputs.settled = True  # the files were made a moment ago
    remember(asked, folder / ".bastide/lab", inputs, {"web1": WEB}, {"web1": Bundle()})  # type: ignore[dict-item]
    return inputs


def holds(asked: Asked) -> bool:
    known = recall(asked)
    assert known is not None
    return known.holds


def test_what_was_read_is_remembered_and_nothing_else(asked: Asked) -> None:
    inputs, folder = compiled(asked), asked.file.parent
    assert set(inputs.marks) == {str(asked.file), str(folder / "app"), str(folder / "overlay.yaml")}
    known = recall(asked)
    assert known is not None and known.holds
    assert known.endpoints == {"web1": WEB} and known.manifests == {"web1": MANIFEST}
    place = folder / ".bastide/lab/compiled.json"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


@pytest.mark.parametrize("change", ["bastide.yaml", "app/main.py", "app/new.py", "overlay.yaml"])
def test_another_state_of_any_input_ends_it(asked: Asked, change: str) -> None:
    compiled(asked)
    assert holds(asked), "the control"
    (asked.file.parent / change).write_text("two")
    assert not holds(asked)


def test_the_same_size_and_the_same_time_by_hand_end_it(asked: Asked) -> None:
    compiled(asked)
    file = asked.file.parent / "app/main.py"
    before = file.stat()
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not holds(asked)


def test_another_program_another_question_and_age_end_it(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(asked)
    assert recall(replace(asked, target="servers")) is None
    assert recall(replace(asked, environment="staging")) is None
    place = asked.file.parent / ".bastide/lab/compiled.json"
    record = json.loads(place.read_text())
    place.write_text(json.dumps({**record, "at": record["at"] - 13 * 3600}))
    assert not holds(asked)
    place.write_text(json.dumps(record))
    monkeypatch.setattr(subject, "code_mark", lambda: "another version")
    assert not holds(asked)


def test_what_changed_while_it_was_read_is_not_remembered(asked: Asked) -> None:
    compiled(asked)
    with watched_inputs() as inputs:
        asked.file.write_text("name: other\n")
        asked.file.read_text()
    assert not inputs.settled
    remember(asked, asked.file.parent / ".bastide/lab", inputs, {}, {})
    assert recall(asked) is None


def test_a_record_that_cannot_be_read_is_none(asked: Asked) -> None:
    compiled(asked)
    (asked.file.parent / ".bastide/lab/compiled.json").write_text("{")
    assert recall(asked) is None


def test_an_endpoint_survives_being_written_down() -> None:
    plain = json.loads(json.dumps(endpoint_to_plain(WEB)))
    assert endpoint_from_plain("web1", plain) == WEB
