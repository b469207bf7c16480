"""Where nothing may be skipped, a skip fails, in whatever way it comes; elsewhere it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WAYS = {
    "mark": "import pytest\n@pytest.mark.skip(reason='no tool a')\ndef test_it(): pass\n",
    "call": "import pytest\ndef test_it(): pytest.skip('no tool b')\n",
    "fixture": "import pytest\n@pytest.fixture\ndef a(): pytest.skip('no tool c')\ndef test_it(a): pass\n",
}
MODULE = {"module": "import pytest\npytest.skip('no tool d', allow_module_level=True)\n"}
EXPECTED_FAILURE = {"expected": "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"}


def outcome(folder: Path, tests: dict[str, str], *options: str) -> tuple[int, str]:
    for name, text in tests.items():
        (folder / f"test_{name}.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("tests", [WAYS, MODULE], ids=["tests", "module"])
def test_without_the_plugin_a_skip_is_none_of_a_failure(tmp_path: Path, tests: dict[str, str]) -> None:
    assert outcome(tmp_path, tests)[0] in (0, 5), "5: nothing was run"


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("tests", [WAYS, MODULE], ids=["tests", "module"])
def test_a_skip_fails_and_says_what_was_missing(tmp_path: Path, tests: dict[str, str], workers: str) -> None:
    """In this process, and in workers of pytest-xdist."""
    status, said = outcome(tmp_path, tests, "-p", "tests.no_skips", "-n", workers)
    assert status in (1, 2), said
    wanted = {text.partition("no tool ")[2][0] for text in tests.values()}
    assert {letter for letter in "abcd" if f"no tool {letter}" in said} == wanted, said


@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_expected_failure_is_none(tmp_path: Path, workers: str) -> None:
    assert outcome(tmp_path, EXPECTED_FAILURE, "-p", "tests.no_skips", "-n", workers)[0] == 0
