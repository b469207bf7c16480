"""Quoting, judged by systemd's own parser."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastide.products.systemd import format_command, format_environment_file

_SHARED = next(iter(sorted(Path("/usr/lib").glob("*/systemd/libsystemd-shared-*.so"))), None)
_AWKWARD = [
    "",
    " ",
    "a b",
    '"',
    "'",
    "\\",
    "$HOME",
    "${X}",
    "%h",
    "`id`",
    "a\nb",
    "a\r\nb",
    "#x",
    ";x",
    "é€",
    "x\\",
    "=",
    "\t",
]
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def parse_environment_file(content: str, folder: Path) -> dict[str, str]:
    """As systemd 252 reads an EnvironmentFile=."""
    path = folder / "environment"
    path.write_bytes(content.encode())
    library = ctypes.CDLL(str(_SHARED))
    found = ctypes.POINTER(ctypes.c_char_p)()
    assert library.load_env_file(None, str(path).encode(), ctypes.byref(found)) >= 0
    variables, index = {}, 0
    while found and found[index] is not None:
        name, _, value = bytes(found[index] or b"").decode().partition("=")
        variables[name] = value
        index += 1
    return variables


@pytest.mark.skipif(_SHARED is None, reason="needs systemd's library")
@settings(max_examples=300, deadline=None)
@given(values=st.lists(text, max_size=4))
def test_systemd_reads_any_value_back(values: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    wanted = {f"V{index}": value for index, value in enumerate([*values, *_AWKWARD])}
    folder = tmp_path_factory.getbasetemp()
    assert parse_environment_file(format_environment_file(wanted), folder) == wanted


@pytest.mark.skipif(_SHARED is None, reason="needs systemd's library")
def test_the_parser_tells_a_badly_quoted_value(tmp_path: Path) -> None:
    assert parse_environment_file('A="x"y\\z"\n', tmp_path) != {"A": 'x"y\\z'}


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        format_environment_file({"A": "x\0"})


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_accepts_any_command(tmp_path: Path) -> None:
    unit = tmp_path / "x.service"
    unit.write_text(f"[Service]\nExecStart={format_command(['/bin/echo', *_AWKWARD])}\n")
    argv = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_in_a_command_is_expanded() -> None:
    assert format_command(["a", '$X %h\n"\\']) == '"a" "$$X %%h\\n\\"\\\\"'
