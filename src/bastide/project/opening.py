"""Opening a project: the spec file, and the state that stands beside it.

In: the path of a spec. Out: `Project`. Raises SpecInvalid with every fault of the file.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bastide.spec.load import LoadedSpec, load_spec
from bastide.spec.model import Spec

TargetKind = Literal["lab", "servers"]


@dataclass(frozen=True, kw_only=True)
class Project:
    """A loaded spec and the folder that it stands in."""

    file: Path
    environment: str | None
    loaded: LoadedSpec

    @property
    def spec(self) -> Spec:
        """The spec as written."""
        return self.loaded.spec

    @property
    def base(self) -> Path:
        """Folder that relative paths of the spec start from."""
        return self.file.parent

    @property
    def lab_name(self) -> str:
        """Name of this project's lab on this computer: two checkouts of one project have two labs."""
        identity = f"{self.file}\0{self.environment or ''}"
        return f"{self.spec.name}-{hashlib.sha256(identity.encode()).hexdigest()[:6]}"

    def state(self, kind: TargetKind) -> Path:
        """Folder of keys, secrets and journal; the lab never shares any with servers. Created with mode 0700."""
        root = self.base / ".bastide"
        state = root / (kind if self.environment is None else f"{kind}-{self.environment}")
        state.mkdir(parents=True, exist_ok=True)
        for folder in (root, state):
            folder.chmod(0o700)
        ignore = root / ".gitignore"
        if not ignore.exists():
            ignore.write_text("# Keys and secrets of this project: never in version control.\n*\n")
        return state

    def forget(self, kind: TargetKind) -> None:
        """Remove that folder, and what holds it when nothing else is in there."""
        root = self.base / ".bastide"
        shutil.rmtree(self.state(kind))
        if [path.name for path in root.iterdir()] == [".gitignore"]:
            shutil.rmtree(root)


def open_project(file: Path, environment: str | None = None) -> Project:
    """Load a project. Raises SpecInvalid."""
    file = file.resolve()
    return Project(file=file, environment=environment, loaded=load_spec(file, environment=environment))
