"""200,000 lines, six rotations, and an agent that is killed all the time: every line is counted once."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

from tests.unit.agent.lines import nginx_line, web_log
from tests.unit.agent.process import Process, sum_of
from tests.waiting import wait_for

LINES, ROTATIONS, KILLS = 200_000, 6, 8
CHUNK = 500


def rotate(path: Path) -> None:
    """As logrotate with delaycompress."""
    for number in range(ROTATIONS, 0, -1):
        for suffix in (".gz", ""):
            old = Path(f"{path}.{number}{suffix}")
            if old.exists():
                old.rename(f"{path}.{number + 1}{suffix}")
    path.rename(f"{path}.1")
    path.touch()
    second = Path(f"{path}.2")
    if second.exists():
        found = second.stat()
        Path(f"{second}.gz").write_bytes(gzip.compress(second.read_bytes(), 1))
        os.utime(f"{second}.gz", ns=(found.st_atime_ns, found.st_mtime_ns))
        second.unlink()


def test_every_line_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "nginx-web.tsv"
    path.touch()
    with Process(tmp_path, [web_log(path)]) as agent:
        _write_rotate_and_kill(path, agent)


def _write_rotate_and_kill(path: Path, agent: Process) -> None:
    chunks = LINES // CHUNK
    writer = os.open(path, os.O_WRONLY | os.O_APPEND)
    late = -1
    highest = 0.0
    for chunk in range(chunks):
        lines = b"".join(nginx_line(chunk * CHUNK + i) for i in range(CHUNK))
        # Lines arrive torn, and after a rotation the worker goes on in the old file for a while.
        os.write(writer, lines[:777])
        os.write(writer, lines[777:])
        if late >= 0 and chunk % 7 == 0:
            os.close(writer)
            writer, late = os.open(path, os.O_WRONLY | os.O_APPEND), -1
        if chunk % (chunks // ROTATIONS) == chunks // ROTATIONS - 1 and late < 0:
            rotate(path)
            late = chunk
        if chunk % (chunks // KILLS) == chunks // KILLS // 2:
            seen = sum_of(agent.metrics(), "bastide_agent_lines_total")
            assert seen >= highest, "a counter went back"
            highest = seen
            agent.kill()
            if chunk % 2:
                time.sleep(0.05)
            agent.start()
    os.close(writer)
    wait_for(lambda: sum_of(agent.metrics(), "bastide_agent_lines_total"), lambda seen: seen >= LINES, every_s=0.2)
    time.sleep(1.2)  # a line that were counted twice would come now
    metrics = agent.metrics()
    assert sum_of(metrics, "bastide_agent_lines_total") == LINES
    assert sum_of(metrics, "nginx_http_requests_total") == LINES
    assert sum_of(metrics, "nginx_http_request_duration_seconds_count") == LINES
    assert sum_of(metrics, "bastide_agent_malformed_total") == 0
    assert metrics["bastide_agent_resident_bytes"] < 40 << 20
    print(f"resident: {metrics['bastide_agent_resident_bytes'] / 2**20:.1f} MiB")
    assert agent.end() == 0
