"""What `pip install` gives is whole: templates, presets, and the sources that are sent to hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from bastide.bundle.compile import compile_bundles
from bastide.lab.addressing import assign_addresses, derive_lab_addresses
from bastide.spec.load import load_spec
from bastide.topology.resolve import resolve_topology
from bastide.transport import ssh
from bastide.transport.zipapp import host_program
from tests.unit.materials import fake_materials

ROOT = Path(__file__).parents[2]


def facts(spec_file: Path) -> dict[str, object]:
    """What whichever bastide is found makes of the spec, and what it would send to hosts."""
    spec = load_spec(spec_file).spec
    public, private = IPv4Network("198.18.0.0/24"), IPv4Network("10.213.0.0/24")
    spec = assign_addresses(spec, derive_lab_addresses(spec, public, private))
    topology = resolve_topology(spec)
    bundles = compile_bundles(spec, topology, fake_materials(spec, topology))
    return {
        "bundles": {name: bundle.digest for name, bundle in bundles.items()},
        "program": host_program()[0],
        "loader": ssh._loader_text(),
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    return next(folder.glob("bastide-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what pip would put into site-packages."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(installed: Path, folder: Path, *argv: str) -> str:
    """Python, elsewhere, with the installed bastide before the checkout's."""
    environment = {**os.environ, "PYTHONPATH": f"{installed}:{ROOT}"}
    command = [sys.executable, *argv]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    sources = (path for path in (ROOT / "src/bastide").rglob("*") if path.is_file())
    expected = {str(path.relative_to(ROOT / "src")) for path in sources if "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("bastide/")}
    assert packed == expected
    assert {Path(name).suffix for name in packed} >= {".py", ".j2", ".yaml", ".css", ".typed"}


def test_an_installed_bastide_begins_a_project_and_compiles_the_same_hosts(installed: Path, tmp_path: Path) -> None:
    bastide = ("-c", "from bastide.cli.main import main; main()")
    run(installed, tmp_path, *bastide, "init", "demo", "--preset", "resilient")
    spec_file = tmp_path / "demo/bastide.yaml"
    config = run(installed, tmp_path, *bastide, "config", "-f", str(spec_file))
    assert "demo" in config
    code = (
        "import bastide, json, sys; from pathlib import Path; from tests.unit.test_wheel import facts;"
        "print(json.dumps({'from': bastide.__file__, **facts(Path(sys.argv[1]))}))"
    )
    found = json.loads(run(installed, tmp_path, "-c", code, str(spec_file)))
    assert Path(found.pop("from")).is_relative_to(installed)
    assert found == facts(spec_file)
