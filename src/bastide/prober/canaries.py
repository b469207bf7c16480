"""Words that this host lets travel: in a log line, in the database's protocol, in its replication, and in a question to
other voters; and a monitor's own questions, which carry none.

In: which, and the word. Out: what was done. Holds: harmless: a login that is refused, the dropping of a table that
there is not, a line in the journal.
"""

import base64
import http.client
import json
import socket
import ssl
import struct
import subprocess
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_CAPABILITIES = 0x0000_8200  # 4.1 protocol, authentication by plugin's first form
_PATIENCE_S = 5


def send_canaries(request: "Mapping[str, Any]") -> "dict[str, str]":
    """`log`: a word; `sql`: {word, ports}; `replication`: {word, database}; `votes`: {word, settings: the keeper's file};
    `probes`: {port, queries} of a monitor."""
    said = {}
    if "log" in request:
        subprocess.run(["logger", "-t", "bastide-verify-canary", str(request["log"])], check=True)
        said["log"] = "written"
    if "sql" in request:
        for port in request["sql"]["ports"]:
            said[f"sql {port}"] = _refused_login(int(port), str(request["sql"]["word"]))
    if "replication" in request:
        said["replication"] = _drop_nothing(**request["replication"])
    if "votes" in request:
        said |= dict(_ask_voters(**request["votes"]))
    if "probes" in request:
        for query in request["probes"]["queries"]:
            said[f"probe {query['target']}"] = _probe(int(request["probes"]["port"]), query)
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


def _probe(port: int, query: "Mapping[str, str]") -> str:
    """Have the monitor's exporter ask that question now, as its shipper does by itself every few seconds."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    return _answered(wire, "GET", f"/probe?{urllib.parse.urlencode(query)}")


def _ask_voters(word: str, settings: str) -> "Iterator[tuple[str, str]]":
    """Read a key that there is not, at every voter but the one beside this host, as its keeper asks them."""
    register = json.loads(Path(settings).read_text())["failover"]["register"]
    tls = ssl.create_default_context(cafile=register["ca"])
    tls.load_cert_chain(register["certificate"], register["key"])
    body = json.dumps({"key": base64.b64encode(word.encode()).decode()})
    for member in register["members"][1:]:
        wire = http.client.HTTPSConnection(member["name"], member["port"], timeout=_PATIENCE_S)
        try:
            plain = socket.create_connection((member["address"], member["port"]), timeout=_PATIENCE_S)
            wire.sock = tls.wrap_socket(plain, server_hostname=member["name"])
        except OSError as error:
            yield f"votes {member['name']}", str(error)
            continue
        yield f"votes {member['name']}", _answered(wire, "POST", "/v3/kv/range", body, {"X-Canary": word})


def _answered(
    wire: http.client.HTTPConnection,
    method: str,
    path: str,
    body: "str | None" = None,
    headers: "Mapping[str, str] | None" = None,
) -> str:
    try:
        wire.request(method, path, body, dict(headers or {}))
        answer = wire.getresponse()
        answer.read()
        return f"answered: {answer.status}"
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        wire.close()


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
