"""Safeguards taken away on a machine: a keeper whose program was changed there, for control experiments.

In: a host, and edits of the keeper's source: file, text as it stands, what stands there instead. Out: while the block
lasts the host runs the changed copy. And a writer that stays with one server, whatever becomes of it.
Holds: the text must stand there exactly once, else the experiment shows nothing any more; copy and drop-ins lie below
/run, so that a reboot undoes them too.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace

from tests.lab.commands import Commands
from tests.lab.database.ledger import Load

Edit = tuple[str, str, str]
UNITS = ("keeper-fence", "keeper")
NO_FENCE: Edit = ("fencer", "signal.pidfd_send_signal(descriptor, signal.SIGKILL)", "pass")
"""The fencing process lets the deadline pass."""
NO_REVOCATION: Edit = (
    "challenge",
    'return replication is not None and replication.io != "No" and look.revokes',
    "return False",
)
"""Who takes over goes on receiving from the old primary, and so acknowledges to it."""
NO_SEMI_SYNC: Edit = ("server", 'semi_sync=bool(variables["semi_sync"]),', "semi_sync=True,")
"""The keeper believes that commits wait, and so never has them wait."""
NO_ROOM: Edit = ("datadir", "return found.f_bavail * found.f_frsize", "return 1 << 40")
"""The keeper believes that there is room."""

_CHANGE = """
import json, sys, zipfile
with zipfile.ZipFile("/etc/bastide/keeper/keeper.pyz") as old, zipfile.ZipFile("/run/tampered/keeper.pyz", "w") as new:
    left = json.loads(sys.argv[1])
    for name in old.namelist():
        text = old.read(name).decode()
        for edit in [e for e in left if name == f"bastide/keeper/{e[0]}.py"]:
            assert text.count(edit[1]) == 1, f"{name} holds this {text.count(edit[1])} times: {edit[1]}"
            text = text.replace(edit[1], edit[2])
            left.remove(edit)
        new.writestr(name, text)
    assert not left, left
"""
_STAY = """
import json, os, pymysql, sys, time
first, told, said = int(sys.argv[1]), [], "acknowledged"
connection = pymysql.connect(unix_socket="/run/mysqld/mysqld.sock", user="root", autocommit=True)
cursor = connection.cursor()
print("going", flush=True)
while said == "acknowledged" and not os.path.exists("/run/ledger-stop"):
    began = time.monotonic()
    try:
        cursor.execute("INSERT INTO ledger.ledger (id) VALUES (%s)", (first + len(told),))
    except pymysql.err.MySQLError:
        said = "unknown"
    told.append((first + len(told), said, began, time.monotonic()))
    time.sleep(0.02)
json.dump(told, sys.stdout)
"""


@contextlib.contextmanager
def tampered(commands: Commands, *edits: tuple[str, Edit]) -> Iterator[None]:
    """Each host's keeper and fencer run with these edits; all as before afterwards."""
    hosts = sorted({host for host, _ in edits})
    try:
        for host in hosts:
            wanted = shlex.quote(json.dumps([edit for where, edit in edits if where == host]))
            commands.ask(
                host,
                f"mkdir -p /run/tampered\npython3 - {wanted} <<'END'\n{_CHANGE}\nEND\n"
                + "".join(_drop_in(unit) for unit in UNITS)
                + _RESTART,
            )
        yield
    finally:
        for host in hosts:
            remove = "".join(f"rm -rf /run/systemd/system/{unit}.service.d\n" for unit in UNITS)
            commands.ask(host, f"{remove}{_RESTART}rm -r /run/tampered")


_RESTART = f"systemctl daemon-reload\nsystemctl restart {' '.join(UNITS)}\n"


def _drop_in(unit: str) -> str:
    # A keeper that is stopped for the experiment stays so.
    folder = f"/run/systemd/system/{unit}.service.d"
    return f"""mkdir -p {folder}
{{ echo '[Service]'; echo 'WatchdogSec=infinity'; echo 'ExecStart='
grep '^ExecStart=' /etc/systemd/system/{unit}.service | sed 's,/etc/bastide/keeper/keeper.pyz,/run/tampered/keeper.pyz,'
}} >{folder}/tampered.conf
grep -q /run/tampered/ {folder}/tampered.conf
"""


@contextlib.contextmanager
def staying(commands: Commands, host: str, first: int) -> Iterator[subprocess.Popen[str]]:
    """Somebody who writes to that server from its own host, on one connection, until it breaks."""
    commands.ask(host, f"cat >/run/stay.py <<'END'\n{_STAY}\nEND")
    writer = commands.start("exec", host, "--", "python3", "/run/stay.py", str(first))
    assert writer.stdout is not None and writer.stderr is not None
    assert writer.stdout.readline() == "going\n", writer.stderr.read()
    try:
        yield writer
    finally:
        if writer.poll() is None:
            commands.ask(host, "touch /run/ledger-stop")


def add_to(load: Load, out: str, errors: str) -> None:
    """What the one who stayed was told belongs to the ledger."""
    assert out, errors
    told = tuple((ident, said, began, ended) for ident, said, began, ended in json.loads(out))
    load.ledger = replace(load.ledger, told=tuple(sorted((*load.ledger.told, *told), key=lambda t: t[3])))
