"""A private view of the machine in which a staged generation already is in place: for checkers.

Overlays show the staged files over the real ones; what a checker writes there is thrown away with the view. Where
the kernel has no overlayfs, copies stand in. The functions run in a child between fork and exec.
In: a generation's tree. Out: nothing; the calling process is inside afterwards.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

_NEWNS, _NEWNET = 0x00020000, 0x40000000
_MS_REC, _MS_PRIVATE, _MS_BIND = 0x4000, 1 << 18, 0x1000
_SCRATCH = "/run/bastide/check"

_libc = ctypes.CDLL(None, use_errno=True)


def enter_view(tree: Path, *, network: bool) -> None:
    """Leave the machine's view for a private one with `tree` laid over it; with `network`, its network too."""
    _call(_libc.unshare(_NEWNS | (_NEWNET if network else 0)), "unshare")
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    if network:
        _raise_loopback()
    Path(_SCRATCH).mkdir(parents=True, exist_ok=True)
    _mount("tmpfs", _SCRATCH, "tmpfs", 0, "mode=0755")
    # The tree must stay reachable when what lies above it (/var) is covered.
    staged = Path(_SCRATCH, "staged")
    staged.mkdir()
    _mount(str(tree), str(staged), None, _MS_BIND)
    for top in sorted(p for p in staged.iterdir() if p.is_dir()):
        _cover(f"/{top.name}", top)


def _cover(place: str, staged: Path) -> None:
    """Lay the staged directory over the real one."""
    Path(place).mkdir(exist_ok=True)
    upper, work = Path(_SCRATCH, f"upper-{staged.name}"), Path(_SCRATCH, f"work-{staged.name}")
    upper.mkdir()
    work.mkdir()
    options = f"lowerdir={staged}:{place},upperdir={upper},workdir={work}"
    try:
        _mount("overlay", place, "overlay", 0, options)
    except OSError:
        # Only directories that are small by nature can be copied; the others show the real files.
        if place == "/etc":
            _cover_by_copy(place, staged, upper)


def _cover_by_copy(place: str, staged: Path, copy: Path) -> None:
    shutil.copytree(place, copy, symlinks=True, dirs_exist_ok=True, ignore_dangling_symlinks=True)
    (copy / "bastide").unlink(missing_ok=True)  # a symlink to the live generation
    shutil.copytree(staged, copy, symlinks=True, dirs_exist_ok=True)
    for source, target in ((Path(place), copy), (staged, copy)):
        for folder, folders, files in os.walk(source):
            for name in (*folders, *files):
                path = Path(folder, name)
                found, twin = path.lstat(), target / path.relative_to(source)
                os.lchown(twin, found.st_uid, found.st_gid)
    _mount(str(copy), place, None, _MS_BIND)


def _raise_loopback() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False, stdin=subprocess.DEVNULL)
    for family in ("ipv4", "ipv6"):
        setting = Path(f"/proc/sys/net/{family}/ip_nonlocal_bind")
        if setting.exists():
            setting.write_text("1")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    done = _libc.mount(
        source.encode(), target.encode(), kind.encode() if kind else None, flags, options.encode() or None
    )
    _call(done, f"mount {target}")


def _call(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
