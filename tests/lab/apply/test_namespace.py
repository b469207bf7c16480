"""The checkers' private view, on this computer: by overlays, and by copies where the kernel has none."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bastide.host import namespace
from bastide.host.machine import run_program

pytestmark = pytest.mark.lab

_LOOK = (
    "cat /etc/bastide/a.conf; head -c5 /etc/passwd; echo; stat -c %u /etc/bastide/a.conf; echo x > /etc/left-behind"
)


@pytest.mark.parametrize("overlays", [True, False])
def test_staged_files_are_in_place_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overlays: bool
) -> None:
    (tmp_path / "etc/bastide").mkdir(parents=True)
    (tmp_path / "etc/bastide/a.conf").write_text("staged\n")
    mount = namespace._mount

    def without_overlays(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
        if kind == "overlay" and not overlays:
            raise OSError("no overlayfs in this kernel")
        mount(source, target, kind, flags, options)

    monkeypatch.setattr(namespace, "_mount", without_overlays)
    done = run_program(["sh", "-c", _LOOK], before_exec=partial(namespace.enter_view, tmp_path, network=False))
    assert done.output.split() == ["staged", "root:", "0"]
    assert not Path("/etc/left-behind").exists()
    assert not Path("/etc/bastide/a.conf").exists()


def test_network_is_a_private_one_where_any_address_can_be_bound(tmp_path: Path) -> None:
    bind = "import socket; s = socket.create_server(('192.0.2.77', 80)); print(len(socket.if_nameindex()) < 9)"
    enter = partial(namespace.enter_view, tmp_path, network=True)
    assert run_program(["/usr/bin/python3", "-c", bind], before_exec=enter).output.strip() == "True"
    without = partial(namespace.enter_view, tmp_path, network=False)
    assert run_program(["/usr/bin/python3", "-c", bind], before_exec=without).status != 0
