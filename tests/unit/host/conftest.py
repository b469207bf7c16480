"""A machine in a temporary directory, with a systemd that only remembers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bastide.bundle.model import HostBundle
from bastide.host.lifecycle import Terms
from bastide.host.machine import Finished, Machine
from bastide.host.stage import prepare_state, stage_generation

HARMLESS = {"dpkg-query", "journalctl", "probe-good", "timeout"}


@dataclass
class FakeSystemd:
    """Answers systemctl; refuses any program that a test does not expect."""

    root: Path
    active: set[str] = field(default_factory=set)
    enabled: set[str] = field(default_factory=set)
    masked: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    """Units that fail to start."""
    calls: list[str] = field(default_factory=list)
    """Verbs that change something, such as `restart a.service`."""
    told: bool = True
    """False after a change that systemd itself has yet to hear of, by `daemon-reload`."""

    def __call__(self, argv: Sequence[str]) -> Finished:
        if argv[0] == "systemctl":
            if "--no-reload" in argv:
                self.told = False
            return self._systemctl([a for a in argv[1:] if a not in ("--quiet", "--no-reload")])
        if argv[0] == "probe-bad":
            return Finished(tuple(argv), 1, "it is bad")
        if argv[0] == "probe-crash":
            raise RuntimeError("a bug")
        assert argv[0] in HARMLESS, f"unexpected program {argv}"
        return Finished(tuple(argv), 0, "")

    def _systemctl(self, argv: list[str]) -> Finished:
        verb, units = argv[0], argv[1:]
        if "--property=NeedDaemonReload" in argv:
            return Finished(("systemctl",), 0, "no\n")
        if verb == "show":
            return Finished(("systemctl",), 0, "\n\n".join(self._shown(u) for u in units if not u.startswith("--")))
        if verb == "reset-failed":
            return Finished(("systemctl",), 0, "")
        if not argv[-1].startswith("bastide-guard-"):
            self.calls.append(" ".join(argv))
        if verb == "daemon-reload":
            self.told = True
        assert self.told or verb not in ("restart", "start", "reload"), "systemd was not told before"
        for unit in units:
            if verb in ("restart", "start", "reload") and unit in self.broken:
                self.active.discard(unit)
                return Finished(("systemctl",), 1, f"{unit} failed")
            self._change(verb, unit)
        return Finished(("systemctl",), 0, "")

    def _change(self, verb: str, unit: str) -> None:
        link = self.root / "etc/systemd/system" / unit
        match verb:
            case "restart" | "start":
                self.active.add(unit)
            case "stop":
                self.active.discard(unit)
            case "enable":
                self.enabled.add(unit)
            case "disable":
                self.enabled.discard(unit)
            case "mask":
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to("/dev/null")
            case "unmask":
                link.unlink()

    def _shown(self, unit: str) -> str:
        path = self.root / "etc/systemd/system" / unit
        packaged = (self.root / "lib/systemd/system" / unit).exists()
        masked = path.is_symlink()
        load = "masked" if masked else "loaded" if path.exists() or packaged else "not-found"
        enabled = (
            "masked" if masked else "enabled" if unit in self.enabled else "disabled" if load == "loaded" else ""
        )
        active = "active" if unit in self.active else "inactive"
        return "\n".join(
            [f"Id={unit}", f"Names={unit}", f"LoadState={load}", f"ActiveState={active}", "SubState=x",
             f"UnitFileState={enabled}", "CanReload=yes"]
        )  # fmt: skip


@dataclass
class Bench:
    """The machine and what a test does with it."""

    machine: Machine
    systemd: FakeSystemd
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def tell(self, kind: str, **fields: Any) -> None:
        """Remember an event."""
        self.told.append((kind, fields))

    def stage(self, bundle: HostBundle, archives: dict[str, bytes] | None = None) -> None:
        """Stage a bundle, its contents being there."""
        prepare_state(self.machine)
        for digest, content in {**bundle.contents, **(archives or {})}.items():
            (self.machine.blobs / digest).write_bytes(content)
        stage_generation(self.machine, bundle.manifest, bundle.digest, self.tell)  # type: ignore[arg-type]

    def terms(self, **fields: Any) -> Terms:
        """Terms without a guard."""
        return Terms(**{"who": "test", "confirm_s": 30.0, "grants": (), "program": None, **fields})

    def path(self, absolute: str) -> Path:
        """A path of the machine."""
        return self.machine.path(absolute)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A fresh machine whose root user is whoever runs the tests."""
    root = tmp_path / "root"
    for folder in ("etc/systemd/system", "var", "usr/sbin", "run", "lib/systemd/system"):
        (root / folder).mkdir(parents=True)
    (root / "etc/passwd").write_text(f"root:x:{os.geteuid()}:{os.getegid()}::/:/bin/sh\n")
    (root / "etc/group").write_text(f"root:x:{os.getegid()}:\n")
    systemd = FakeSystemd(root)
    return Bench(Machine(root=root, run=systemd), systemd)
