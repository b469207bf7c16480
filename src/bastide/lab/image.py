"""One cached root file system per set of packages, built by mmdebstrap, shared read-only by every machine.

In: a set of packages. Out: the directory of the finished image. Holds: a directory with an image's name is
a whole image (it is built elsewhere and renamed); two callers build it once; what an interrupted build left
is removed.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from bastide.lab.apt import INDEX_FORMAT, acquire_options, debian_sources, render_sources
from bastide.lab.command import run
from bastide.lab.errors import CommandFailed, ImageFailed
from bastide.lab.locks import locked
from bastide.lab.packages import BASE_PACKAGES, DEFAULT_PACKAGES
from bastide.lab.recipe import build_command, image_key, trim_script

__all__ = ["BASE_PACKAGES", "DEFAULT_PACKAGES", "IMAGES", "cached_image", "ensure_image"]

IMAGES: Final = Path("/var/cache/bastide/images")
_BUILD_PREFIX: Final = ".build-"


def cached_image(packages: Sequence[str], *, images: Path = IMAGES) -> Path | None:
    """The finished image for these packages, or None when it has yet to be built."""
    image = images / image_key(packages)
    return image if image.is_dir() else None


def ensure_image(packages: Sequence[str], on_progress: Callable[[str], None], *, images: Path = IMAGES) -> Path:
    """The image for these packages, built now if need be (half a minute to a minute).

    Raises `ImageFailed`.
    """
    ready = cached_image(packages, images=images)
    if ready is not None:
        return ready
    images.mkdir(parents=True, exist_ok=True)
    # Root's alone: an image holds set-uid programs that this computer's own updates do not reach.
    images.chmod(0o700)
    key = image_key(packages)
    with locked(images / f".{key}.lock"):
        ready = cached_image(packages, images=images)
        if ready is not None:
            return ready
        # Beside, not below: apt downloads as a user of its own, who must get there.
        workplace = images.parent / f"{_BUILD_PREFIX}{key}"
        # We hold the lock, so whatever lies here was left by a build that was interrupted.
        shutil.rmtree(workplace, ignore_errors=True)
        workplace.mkdir()
        workplace.chmod(0o755)  # whatever our umask: apt downloads as a user of its own
        try:
            root = _build(packages, workplace, on_progress)
            root.chmod(0o755)
            root.rename(images / key)
        finally:
            shutil.rmtree(workplace, ignore_errors=True)
    return images / key


def _build(packages: Sequence[str], workplace: Path, on_progress: Callable[[str], None]) -> Path:
    root, sources = workplace / "root", workplace / "sources.list"
    apt_options, trim, log = workplace / "apt.conf", workplace / "trim.sh", workplace / "build.log"
    targets = run(["apt-get", "indextargets", "--format", INDEX_FORMAT, "Created-By: Packages"])
    sources.write_text(render_sources(debian_sources(targets)))
    apt_options.touch(mode=0o600)  # a proxy's password may be in there
    apt_options.write_text(acquire_options(run(["apt-config", "dump"])))
    trim.write_text(trim_script())
    command = build_command(packages, target=root, sources=sources, apt_options=apt_options, trim=trim)
    began = time.monotonic()
    on_progress(f"building the machines' image ({len(set(packages))} packages and what they need)")
    for line in _lines_of(command, log):
        if line.startswith("I: ") and "-hook" not in line:
            on_progress(line[3:])
    on_progress(f"image built in {time.monotonic() - began:.0f} s")
    return root


def _lines_of(command: Sequence[str], log: Path) -> Iterator[str]:
    """Each line that the build prints, as it comes; raises `ImageFailed` with the last ones when it fails."""
    # Its temporary files beside the log: what a killed build leaves is removed with the rest.
    settings = {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "TMPDIR": str(log.parent)}
    environment = {**os.environ, **settings}
    last: list[str] = []
    with log.open("w") as record:
        try:
            build = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=environment,
            )
        except FileNotFoundError as missing:
            raise ImageFailed(f"{command[0]} is not installed", hint=f"apt-get install {command[0]}") from missing
        with build:
            assert build.stdout is not None
            try:
                for line in build.stdout:
                    record.write(line)
                    last = [*last[-19:], line.rstrip()]
                    yield line.rstrip()
            except BaseException:
                build.terminate()
                raise
    if build.returncode != 0:
        why = CommandFailed(command, build.returncode, "\n".join(last))
        raise ImageFailed(
            "the machines' image could not be built:\n" + "\n".join(last),
            hint="Does `apt-get update` work on this computer? The build uses the same sources.",
        ) from why
