"""What a lab leaves on this computer, by kind: for tests that claim that nothing is left."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bastide.lab.names import LabNetworks
from bastide.lab.state import LABS, find_networks, known_labs

_CGROUPS = Path("/sys/fs/cgroup")


def find_traces(lab: str, networks: LabNetworks) -> dict[str, list[str]]:
    """Everything that exists because of the lab, by kind; kinds without any are left out."""
    # A slot that was given up may have been given away since: then its links are another lab's.
    taken = {other: find_networks(other) for other in known_labs() if other != lab}
    mine = f"bst{networks.index}-" if networks not in taken.values() else "nobody's"
    home = str(LABS / lab)
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    found = {
        "directories": [str(path) for path in (LABS / lab, LABS / f".{lab}.lock") if path.exists()],
        "mounts": [line for line in mounts if home in line],
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir() if path.name.startswith(mine)),
        "namespaces": sorted(path.name for path in _children("/run/netns") if path.name.startswith(mine)),
        "cgroups": _cgroups(lab),
        "processes": _processes(home),
    }
    return {kind: things for kind, things in found.items() if things}


def _children(folder: str) -> list[Path]:
    return list(Path(folder).iterdir()) if Path(folder).is_dir() else []


def _cgroups(lab: str) -> list[str]:
    argv = ["find", str(_CGROUPS), "-maxdepth", "4", "-type", "d"]
    argv += ["(", "-path", f"*/bastide/{lab}", "-o", "-name", f"bastide-{lab}:*", ")"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()


def _processes(home: str) -> list[str]:
    """Processes whose command line or root is the lab's; a zombie has neither and cannot do anything."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            groups = (process / "cgroup").read_text()
        except OSError:
            continue
        if command and (f"{home}/" in command or f"/bastide/{Path(home).name}/" in groups):
            found.append(command)
    return found
