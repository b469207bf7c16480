"""Python requirements -> a folder of packages for the application hosts, made on the controller.

In: the spec's `app` and its folder. Out: a folder to ship as `site-packages`.
Holds: hosts need no internet; a folder that was made for the same requirements, Python and server is used again
without asking anybody. Nothing of this controller's paths is in it.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

from bastide.apply.release_failed import ReleaseFailed
from bastide.spec.parts import App

SERVERS = {"wsgi": "gunicorn==27.0.1", "asgi": "uvicorn==0.54.0"}
"""What serves each kind, unless the requirements name it themselves."""
_FORMAT = 1
"""Counted up when the same requirements shall give another folder."""
_GLIBC = (36, 35, 34, 33, 32, 31, 28, 27, 26, 24, 17, 12, 5)
"""Debian 12 has glibc 2.36; wheels for any older one run there. pip does not widen what `--platform` names."""
_INCLUDE = re.compile(r"^\s*(?:-r|--requirement|-c|--constraint)[ =]?\s*(\S+)", re.MULTILINE)
_LOCAL = re.compile(r"^\s*(-e\b|--editable|\.{0,2}/|file:|\S+\s*@\s*file:)", re.MULTILINE)
_LAST_LINES = 12


def install_dependencies(app: App, folder: Path, cache: Path, on_progress: Callable[[str], None]) -> Path:
    """The folder of packages for that application; made now, or found in `cache`."""
    files = tuple(_requirement_files(folder / app.requirements)) if app.requirements else ()
    texts = [file.read_text() for file in files]
    for file, text in zip(files, texts, strict=True):
        if _LOCAL.search(text):
            raise ReleaseFailed(
                f"{file} names a package by a path of this computer",
                hint="put the package into the application's folder, which is on its Python path",
            )
    server = _missing_server(app, "\n".join(texts))
    key_parts = [_FORMAT, texts, app.python, server, platform.machine()]
    key = hashlib.sha256(json.dumps(key_parts).encode()).hexdigest()
    target = cache / key
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    for leftover in cache.glob(".making-*"):
        shutil.rmtree(leftover)
    if not texts and not server:
        target.mkdir()
        return target
    on_progress("resolving the application's Python packages")
    work = Path(mkdtemp(dir=cache, prefix=".making-"))
    try:
        _install(app.python, files[:1], server, work)
        _normalise(app.python, work / "packages")
        (work / "packages").rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _requirement_files(file: Path) -> Iterator[Path]:
    if not file.is_file():
        raise ReleaseFailed(f"{file} does not exist", hint="correct app.requirements; it is relative to app.path")
    yield file
    for match in _INCLUDE.finditer(file.read_text()):
        yield from _requirement_files(file.parent / match[1])


def _missing_server(app: App, text: str) -> str | None:
    server = SERVERS.get(app.kind)
    if server is None:
        return None
    name = server.partition("==")[0]
    if re.search(rf"^\s*{name}\b", text, re.MULTILINE | re.IGNORECASE):
        return None
    if "--hash=" in text:
        raise ReleaseFailed(
            f"the requirements are pinned by hashes, but do not name {name}, which serves the application",
            hint=f"add {server} with its hashes",
        )
    return server


def _install(python: str, files: tuple[Path, ...], server: str | None, work: Path) -> None:
    wanted = [*(argument for file in files for argument in ("-r", str(file))), *([server] if server else [])]
    machine = platform.machine()
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC] + [f"manylinux2014_{machine}"]
    install = [
        *("install", "--target", str(work / "packages"), "--no-compile", "--only-binary=:all:"),
        *("--implementation", "cp", "--python-version", python),
        *(f"--platform={name}" for name in platforms),
    ]
    first = _pip(*install, *wanted)
    if first.returncode == 0:
        return
    # A package without a wheel: a wheel made here fits there if it is pure Python; others are refused by their tag.
    wheels = _pip("wheel", "--wheel-dir", str(work / "wheels"), *wanted)
    shutil.rmtree(work / "packages", ignore_errors=True)
    if wheels.returncode == 0:
        second = _pip(*install, "--no-index", "--find-links", str(work / "wheels"), *wanted)
        if second.returncode == 0:
            return
        first = second
    raise ReleaseFailed(
        f"the application's packages cannot be had for Python {python} on Linux {machine}",
        lines=_last_lines(first.stderr),
        hint=f"try: pip download --only-binary=:all: --python-version {python} {' '.join(wanted)}",
    )


def _pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    quiet = ("--disable-pip-version-check", "--no-input", "--quiet", "--no-color", "--no-python-version-warning")
    argv = _ending_with_us(sys.executable, "-m", "pip", arguments[0], *quiet, *arguments[1:])
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if "No module named pip" in done.stderr:
        raise ReleaseFailed(
            "this Python has no pip, which resolves the application's packages",
            hint=f"run: {sys.executable} -m ensurepip",
        )
    return done


def _ending_with_us(*argv: str) -> list[str]:
    """A command that ends when we are killed: what outlives us would go on writing where `destroy` has cleaned up."""
    setpriv = shutil.which("setpriv")  # of util-linux; a controller that is no Linux has none
    return [setpriv, "--pdeathsig", "KILL", "--", *argv] if setpriv else list(argv)


def _last_lines(text: str) -> tuple[str, ...]:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return tuple((errors or lines)[-_LAST_LINES:])


def _normalise(python: str, packages: Path) -> None:
    """Take out what differs from machine to machine, and compile what the sandbox could not write."""
    packages.mkdir(exist_ok=True)
    shutil.rmtree(packages / "bin", ignore_errors=True)  # their first lines name this computer's Python
    for pattern in ("*.dist-info/RECORD", "*.dist-info/direct_url.json", "*.dist-info/REQUESTED"):
        for file in packages.glob(pattern):
            file.unlink()
    if f"{sys.version_info.major}.{sys.version_info.minor}" != python:
        return
    # unchecked-hash: the archive sets its own times, by which ordinary compiled files would be held for stale.
    argv = _ending_with_us(
        *(sys.executable, "-m", "compileall", "-q", "-j1", "--invalidation-mode", "unchecked-hash"),
        *("-s", str(packages), "-p", "site-packages", str(packages)),
    )
    # What does not compile (templates of other Python versions) is shipped as it is, and matters only if imported.
    subprocess.run(argv, check=False, capture_output=True, env={"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"})
