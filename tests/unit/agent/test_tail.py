"""Whatever writers, rotations, restarts and kills do: the number of lines counted is the number written."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastide.agent import tail as tail_module
from bastide.agent.ledger import Ledger
from bastide.agent.tail import BLOCK, LINGER_S, Tail
from tests.unit.agent.lines import nginx_line, total, web_log


class Scene:
    """A log, its writer, its rotation, and the agent that may be killed."""

    def __init__(self, folder: Path):
        self.path = folder / "nginx-web.tsv"
        self.state = folder / "state"
        self.state.mkdir()
        self.now = 0.0
        self.number = 0
        self.old: int | None = None
        self.writer = self._open()
        self.agent = self._start()
        self.torn = b""

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def _start(self) -> Ledger:
        return Ledger(web_log(self.path), self.state, clock=lambda: self.now)

    def write(self, count: int, *, old: bool = False) -> None:
        """By the current worker, or by one that has not reopened yet."""
        self.finish()
        lines = [nginx_line(self.number + i) for i in range(count)]
        self.number += count
        os.write(self.old if old and self.old is not None else self.writer, b"".join(lines))

    def tear(self) -> None:
        """Half a line; the rest comes with the next write."""
        self.finish()
        line = nginx_line(self.number)
        self.number += 1
        os.write(self.writer, line[:50])
        self.torn = line[50:]

    def finish(self) -> None:
        if self.torn:
            os.write(self.writer, self.torn)
            self.torn = b""

    def rotate(self) -> None:
        """As logrotate does: numbers move up, what is older than one rotation is compressed."""
        self.finish()
        for number in range(14, 0, -1):
            for suffix in ("", ".gz"):
                old = Path(f"{self.path}.{number}{suffix}")
                if old.exists():
                    old.rename(f"{self.path}.{number + 1}{suffix}")
        second = Path(f"{self.path}.2")
        if second.exists():
            found = second.stat()
            Path(f"{second}.gz").write_bytes(gzip.compress(second.read_bytes()))
            os.utime(f"{second}.gz", ns=(found.st_atime_ns, found.st_mtime_ns))
            second.unlink()
        self.path.rename(f"{self.path}.1")
        if self.old is not None:
            os.close(self.old)
        self.old, self.writer = self.writer, self._open()

    def read(self) -> None:
        for _ in self.agent.blocks():
            pass

    def kill(self, blocks: int) -> None:
        """Dies after so many blocks, before the commit that would have followed."""
        for index, _ in enumerate(self.agent.blocks()):
            if index == blocks:
                break
        self.agent.close()
        self.agent = self._start()

    def pass_time(self) -> None:
        self.now += LINGER_S + 1

    def end(self) -> dict[str, int]:
        self.finish()
        self.read()
        self.agent.close()
        os.close(self.writer)
        if self.old is not None:
            os.close(self.old)
        return self.agent.committed


steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 30)),
        st.tuples(st.just("old"), st.integers(1, 5)),
        st.tuples(st.just("tear"), st.just(0)),
        st.tuples(st.just("rotate"), st.just(0)),
        st.tuples(st.just("read"), st.just(0)),
        st.tuples(st.just("kill"), st.integers(0, 3)),
    ),
    max_size=30,
)


class TestNoLineIsLostOrDoubled:
    @given(steps)
    @settings(max_examples=150, deadline=None)
    def test_over_writes_rotations_and_kills(self, story: list[tuple[str, int]]) -> None:
        with TemporaryDirectory() as folder:
            scene = Scene(Path(folder))
            scene.write(3)  # first bytes by which a file can be known
            scene.read()
            for verb, count in story:
                if verb == "write":
                    scene.write(count)
                elif verb == "old":
                    scene.write(count, old=True)
                elif verb == "kill":
                    scene.kill(count)
                else:
                    getattr(scene, verb)()
            counters = scene.end()
            assert counters["malformed"] == 0
            assert total(counters, "requests") == counters["lines"] == scene.number

    def test_three_rotations_while_nobody_looks(self, tmp_path: Path) -> None:
        scene = Scene(tmp_path)
        scene.write(5)
        scene.read()
        scene.agent.close()
        for _ in range(3):
            scene.write(100)
            scene.rotate()
        scene.write(7)
        scene.agent = scene._start()
        assert total(scene.end(), "requests") == scene.number == 312

    def test_a_first_run_that_was_killed_before_it_read_anything(self, tmp_path: Path) -> None:
        scene = Scene(tmp_path)
        scene.write(5)
        for _ in range(3):
            scene.agent.close()
            scene.rotate()
            scene.write(9)
            scene.agent = scene._start()
        assert total(scene.end(), "requests") == scene.number == 32

    def test_predecessors_are_closed_in_the_end(self, tmp_path: Path) -> None:
        scene = Scene(tmp_path)
        scene.read()
        for _ in range(4):
            scene.write(2)
            scene.rotate()
            scene.read()
        scene.write(1)
        scene.read()
        assert len(scene.agent._tail.positions()) == 5
        scene.pass_time()
        scene.read()
        assert len(scene.agent._tail.positions()) == 1
        assert total(scene.end(), "requests") == scene.number


class TestWhatCannotBeRead:
    def test_a_log_from_before_the_agent_is_counted_from_its_beginning_but_not_its_predecessors(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "log"
        Path(f"{path}.1").write_bytes(nginx_line(1) * 5)
        path.write_bytes(nginx_line(2) * 3)
        assert b"".join(Tail(path).read()).count(b"\n") == 3

    def test_an_overlong_line_is_one_malformed_line_in_bounded_memory(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(nginx_line(1) + b"x" * (4 * BLOCK + 17))
        tail = Tail(path)
        first = list(tail.read())
        with path.open("ab") as stream:
            stream.write(b"y" * 100 + b"\n" + nginx_line(2))
        blocks = first + list(tail.read())
        assert max(map(len, blocks)) <= BLOCK
        assert b"".join(blocks) == nginx_line(1) + b"\n" + nginx_line(2)

    def test_a_freed_front_is_passed_and_said(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        size = 3 * BLOCK + 100
        with path.open("wb") as stream:
            stream.truncate(size)
            stream.seek(size)
            stream.write(b"orn line\n" + nginx_line(2))
        tail = Tail(path)
        assert b"".join(tail.read()) == b"orn line\n" + nginx_line(2)
        assert tail.skipped_bytes == size

    def test_a_front_that_is_freed_later_does_not_make_another_file(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        lines = b"".join(nginx_line(i) for i in range(200))
        path.write_bytes(lines)
        tail = Tail(path)
        assert b"".join(tail.read()) == lines
        with path.open("r+b") as stream:
            stream.write(b"\0" * 8192)
        with path.open("ab") as stream:
            stream.write(nginx_line(777))
        again = Tail(path, tail.positions())
        assert b"".join(again.read()) == nginx_line(777)
        assert again.lost_files == 0

    def test_truncation_begins_anew_and_is_said(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(nginx_line(1) * 10)
        tail = Tail(path)
        list(tail.read())
        path.write_bytes(nginx_line(2))
        assert b"".join(tail.read()) == nginx_line(2)
        assert tail.truncations == 1

    def test_lines_lost_with_the_power_are_not_counted_again(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        lines = [nginx_line(i) for i in range(10)]
        path.write_bytes(b"".join(lines))
        before = Tail(path)
        list(before.read())
        os.truncate(path, len(b"".join(lines[:6])))
        after = Tail(path, before.positions())
        assert list(after.read()) == []
        assert (after.truncations, after.skipped_bytes) == (0, len(b"".join(lines[6:])))

    def test_a_file_that_is_gone_is_said(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(nginx_line(1) * 3)
        before = Tail(path)
        list(before.read())
        positions = before.positions()
        before.close()
        path.rename(tmp_path / "elsewhere")
        path.write_bytes(nginx_line(2) * 2)
        after = Tail(path, positions)
        assert b"".join(after.read()) == nginx_line(2) * 2
        assert after.lost_files == 1


def test_the_test_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tail that forgets rotated files loses the lines in them."""
    scene = Scene(tmp_path)
    scene.write(5)
    scene.read()
    scene.rotate()
    scene.write(5)
    scene.rotate()
    scene.write(1)
    monkeypatch.setattr(tail_module.Tail, "_siblings", lambda self: [self.path])
    scene.kill(99)
    assert total(scene.end(), "requests") < scene.number
