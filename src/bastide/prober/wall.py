"""This host's wall and listeners as they are.

Out: drop counters; the live table beside the given one, loaded into a namespace of its own; sockets that listen.
"""

import json
import re
import subprocess
from collections.abc import Mapping
from typing import Any

TABLE = ("inet", "bastide")
_VOLATILE = {"handle", "index", "packets", "bytes", "elem"}


def counters(_: "Mapping[str, Any]") -> "dict[str, int]":
    """Packets by counter of the wall."""
    said = json.loads(_run(["nft", "-j", "list", "counters", "table", *TABLE]))["nftables"]
    return {e["counter"]["name"]: int(e["counter"]["packets"]) for e in said if "counter" in e}


def compare_ruleset(request: "Mapping[str, Any]") -> "dict[str, Any]":
    """`ruleset`: text. Out: rules of the live table, and those that only one side has."""
    live = _normal(_run(["nft", "-j", "list", "table", *TABLE]))
    lines = ["nft -f -", f"nft -j list table {' '.join(TABLE)}"]
    wanted = _normal(_run(["unshare", "-n", "sh", "-ec", "\n".join(lines)], str(request["ruleset"])))
    others = json.loads(_run(["nft", "-j", "list", "tables"]))["nftables"]
    names = [f"{t['table']['family']} {t['table']['name']}" for t in others if "table" in t]
    return {
        "rules": len(live),
        "only_live": [rule for rule in live if rule not in wanted],
        "only_generated": [rule for rule in wanted if rule not in live],
        "same_order": live == wanted,
        "other_tables": [name for name in names if name != " ".join(TABLE)],
    }


def listeners(_: "Mapping[str, Any]") -> "list[dict[str, Any]]":
    """Sockets that anything but this host itself could reach, were there no wall."""
    found: list[dict[str, Any]] = []
    for row in _run(["ss", "-Hltunp"]).splitlines():
        words = row.split()
        address, port = words[4].rsplit(":", 1)
        bare = address.strip("[]").partition("%")[0]
        if not bare.startswith("127.") and bare != "::1":
            who = re.findall(r'\("([^"]+)",pid=(\d+)', row)
            found.append(
                {"protocol": words[0], "address": address, "port": int(port), "program": who[0][0] if who else "?"}
            )
    return found


def _normal(text: str) -> "list[str]":
    return [
        json.dumps(_strip(entry), sort_keys=True)
        for entry in json.loads(text)["nftables"]
        if "metainfo" not in entry
    ]


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strip(inner) for key, inner in value.items() if key not in _VOLATILE}
    return [_strip(inner) for inner in value] if isinstance(value, list) else value


def _run(argv: "list[str]", given: str = "") -> str:
    done = subprocess.run(argv, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{argv[0]}: {done.stderr.strip()[-300:]}")
    return done.stdout
