"""A recorder on a host: a unit that writes what it sees to disk, whatever becomes of the host or of our connection to it.

In: what to record (`writes` or `looks`) and its settings. Out: lines of JSON, appended; `collect` fetches them.
Holds: it is there again after a reboot, as early as the database is; it ends by itself at `until`; `collect` and
`forget` leave nothing of it on the host.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bastide.prober.looks import watch_on
from bastide.prober.writes import write_on

FOLDER = Path("/var/lib/bastide-drill")
_PROGRAM, _LAUNCH = FOLDER / "program.zip", FOLDER / "record.py"
_LAUNCHER = f"""import sys
sys.path.insert(0, {str(_PROGRAM)!r})
from bastide.prober.recording import main
main()
"""
_UNITS, _WANTED = Path("/etc/systemd/system"), Path("/etc/systemd/system/multi-user.target.wants")
_UNIT = """[Unit]
Description=Recorder of a drill ({what})

[Service]
ExecStart=/usr/bin/python3 -I -S {launch} {what}
Restart=on-failure
RestartSec=1
UMask=0077
"""
_BEGINS_S = 15.0
_ROOM_BYTES = 16 << 20
"""A quarter of an hour of looks and writes."""
_WORK = {"writes": write_on, "looks": watch_on}


def record(request: "Mapping[str, Any]") -> "dict[str, Any]":
    """`what`, `settings` (with `until`, seconds since 1970). Returns when its first line is on disk."""
    what = str(request["what"])
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    ours = next(path for path in sys.path if path.startswith("/proc/self/fd/"))
    shutil.copyfile(ours, FOLDER / "program.new")
    (FOLDER / "program.new").replace(_PROGRAM)
    _write(_LAUNCH, _LAUNCHER)
    _write(FOLDER / f"{what}.json", json.dumps(request["settings"]))
    _write(_unit_path(what), _UNIT.format(what=what, launch=_LAUNCH))
    _WANTED.mkdir(exist_ok=True)
    link = _WANTED / _unit(what)
    if not link.is_symlink():
        link.symlink_to(_unit_path(what))
    _systemctl("daemon-reload")
    _systemctl("restart", _unit(what))
    end = time.monotonic() + _BEGINS_S
    while not _lines(what):
        if time.monotonic() > end:
            raise OSError(f"the recorder of {what} does not begin")
        time.sleep(0.05)
    return {"now": time.time()}


def recent(request: "Mapping[str, Any]") -> "dict[str, Any]":
    """`what`, `bytes`: the newest lines, and the host's clock."""
    with _log(str(request["what"])).open("rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(0, log.tell() - int(request["bytes"])))
        text = log.read().decode(errors="replace")
    return {"now": time.time(), "lines": _parsed(text.split("\n"))}


def collect(request: "Mapping[str, Any]") -> "dict[str, Any]":
    """`what`: end it; all its lines."""
    what = str(request["what"])
    _systemctl("stop", _unit(what))
    lines = _lines(what)
    forget(request)
    return {"now": time.time(), "lines": lines}


def forget(request: "Mapping[str, Any]") -> str:
    """`what`: leave nothing of it, whether it ran or not."""
    what = str(request["what"])
    _systemctl("stop", _unit(what))
    for path in (_WANTED / _unit(what), _unit_path(what), FOLDER / f"{what}.json", _log(what)):
        path.unlink(missing_ok=True)
    _systemctl("daemon-reload")
    _systemctl("reset-failed", _unit(what))  # one that failed as it was stopped would ail the host from now on
    if FOLDER.is_dir() and not any(FOLDER.glob("*.json")):
        shutil.rmtree(FOLDER)
    return "done"


def main() -> None:
    """The recorder itself."""
    what = sys.argv[1]
    settings = json.loads((FOLDER / f"{what}.json").read_text())
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    lock = threading.Lock()
    timer = threading.Timer(max(0.0, float(settings["until"]) - time.time()), over.set)
    timer.daemon = True
    timer.start()
    with _log(what).open("a", buffering=1) as log:
        # What is recorded of a disk that fills up has its place before it does; where that cannot be, it goes on without.
        reserve = ["fallocate", "--keep-size", "--length", str(_ROOM_BYTES), str(_log(what))]
        subprocess.run(reserve, capture_output=True, check=False)

        def tell(line: "list[Any] | dict[str, Any]") -> None:
            with lock:
                log.write(json.dumps(line) + "\n")

        tell({"began": time.time()})
        with ThreadPoolExecutor(max_workers=1) as pool:
            # Not in this thread: a signal that comes while `over` is looked at could not set it.
            pool.submit(_WORK[what], settings, tell, over).result()
        tell({"over": time.time()})


def _lines(what: str) -> "list[Any]":
    if not _log(what).exists():
        return []
    with _log(what).open(errors="replace") as log:
        return _parsed(log)


def _parsed(lines: "Iterable[str]") -> "list[Any]":
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # cut short, where the machine was killed or we began to read
    return found


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)


def _log(what: str) -> Path:
    return FOLDER / f"{what}.log"


def _unit(what: str) -> str:
    return f"bastide-drill-{what}.service"


def _unit_path(what: str) -> Path:
    return _UNITS / _unit(what)


def _systemctl(*words: str) -> None:
    subprocess.run(["systemctl", *words], capture_output=True, check=False, timeout=30)
