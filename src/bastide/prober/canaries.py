"""Words that this host lets travel: in a log line, in the database's protocol, and in its replication.

In: which, and the word. Out: what was done. Holds: harmless: a login that is refused, the dropping of a table that
there is not, a line in the journal.
"""

import socket
import struct
import subprocess
from collections.abc import Mapping
from typing import Any

_CAPABILITIES = 0x0000_8200  # 4.1 protocol, authentication by plugin's first form
_PATIENCE_S = 5


def send_canaries(request: "Mapping[str, Any]") -> "dict[str, str]":
    """`log`: a word; `sql`: {word, ports}; `replication`: {word, database}."""
    said = {}
    if "log" in request:
        subprocess.run(["logger", "-t", "bastide-verify-canary", str(request["log"])], check=True)
        said["log"] = "written"
    if "sql" in request:
        for port in request["sql"]["ports"]:
            said[f"sql {port}"] = _refused_login(int(port), str(request["sql"]["word"]))
    if "replication" in request:
        said["replication"] = _drop_nothing(**request["replication"])
    return said


def _refused_login(port: int, word: str) -> str:
    """Log in at the local listener of the database under a name that nobody has."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as wire:
            greeting = wire.recv(1024)
            if not greeting:
                return "no greeting"
            body = struct.pack("<IIB23x", _CAPABILITIES, 1 << 20, 33) + word.encode() + b"\0\0"
            wire.sendall(struct.pack("<I", len(body) | 1 << 24) + body)
            return "refused" if wire.recv(1024)[4:5] == b"\xff" else "answered"
    except OSError as error:
        return str(error)


def _drop_nothing(word: str, database: str) -> str:
    """A statement that changes nothing and that the primary hands on to its replicas all the same.

    Never on a replica: root may write even there, and one statement of its own is enough to part it from its primary.
    """
    if _client("SELECT @@read_only") != "0":
        return "not the primary"
    return _client(f"DROP TABLE IF EXISTS `{database}`.`{word}`") or "done"


def _client(statement: str) -> str:
    # Statements come by standard input; names are words of ours.
    argv = ["mariadb", "--batch", "--skip-column-names"]
    done = subprocess.run(argv, input=statement, capture_output=True, text=True, check=False, timeout=20)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()[-200:]
