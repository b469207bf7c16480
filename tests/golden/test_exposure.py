"""Units are confined to their targets: `systemd-analyze security` scores the files themselves, without a machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bastide.verify.hosts import TARGETS

RESILIENT = Path(__file__).parent / "resilient"
UNITS = {
    "haproxy": "lb1/etc/systemd/system/haproxy.service",
    "keepalived": "lb1/etc/systemd/system/keepalived.service",
    "nginx": "web1/etc/systemd/system/nginx.service",
    "app": "app1/etc/systemd/system/app.service",
    "mariadb": "db1/etc/systemd/system/mariadb.service",
}


def exposure(unit: Path) -> float:
    argv = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    [last] = [line for line in said.splitlines() if "Overall exposure level" in line]
    return float(last.split(":")[1].split()[0])


@pytest.mark.parametrize("product", UNITS)
def test_a_unit_can_do_no_more_than_its_target_allows(product: str, tmp_path: Path) -> None:
    unit = RESILIENT / UNITS[product]
    assert exposure(unit) <= TARGETS[product]
    loose = tmp_path / unit.name
    kept = [line for line in unit.read_text().splitlines() if not line.startswith(("SystemCallFilter", "Protect"))]
    loose.write_text("\n".join(kept))
    assert exposure(loose) > TARGETS[product], "the control: without its filters it is over"
