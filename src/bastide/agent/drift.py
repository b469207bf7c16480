"""Whether the files that Bastide wrote are still as it wrote them.

In: the live generation's manifest. Out: a record of what differs, and which certificates there are, for the agent to
read: most certificates stand beside their keys, in files that only root and one service may read.
Holds: runs for itself every few minutes, with the right to read every file and no other right; the agent, which
listens and speaks to the network, has neither. A file whose time, size and inode are as at its last reading is not
read again, except once an hour.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

FULL_S = 3600.0
MAX_PEM = 256 << 10
_KEPT = 50
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


def look_for_drift(
    current: Path, record: Path, root: Path = Path("/"), now_s: float | None = None
) -> dict[str, Any]:
    """Compare, and write the record. Raises OSError, ValueError, KeyError where there is no readable manifest."""
    now = time.time() if now_s is None else now_s
    before = _read(record)
    # Looked up once: it may be switched while we read.
    live = current.resolve()
    manifest, generation = json.loads((live / "manifest.json").read_bytes()), live.name
    full = before.get("generation") != generation or now - before.get("full_s", 0) >= FULL_S
    seen, known = ({}, {}) if full else (before.get("seen", {}), before.get("certificates", {}))
    differing, now_seen, certificates = [], {}, {}
    for entry in manifest["files"]:
        path = root / entry["path"].lstrip("/")
        try:
            found = path.stat()
            mark = [found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode & 0o7777]
            if seen.get(entry["path"]) == mark:
                digest, leaf = entry["sha256"], known.get(entry["path"])
            else:
                digest, leaf = _read_file(path, found.st_size)
            if leaf is not None:
                certificates[entry["path"]] = leaf
            if mark[3] != entry["mode"] or digest != entry["sha256"]:
                differing.append(entry["path"])
                continue
            now_seen[entry["path"]] = mark
        except FileNotFoundError:
            differing.append(entry["path"])
    found_record = {
        "generation": generation,
        "full_s": now if full else before["full_s"],
        "count": len(differing),
        "files": differing[:_KEPT],
        "seen": now_seen,
        "certificates": certificates,
    }
    draft = record.with_suffix(".new")
    draft.write_text(json.dumps(found_record))
    draft.chmod(0o644)
    os.replace(draft, record)  # noqa: PTH105
    return found_record


def _read(record: Path) -> dict[str, Any]:
    try:
        found = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_file(path: Path, size: int) -> tuple[str, str | None]:
    """Its sha256, and that of the first certificate in it: a chain's own, not its issuers'."""
    if size <= MAX_PEM:
        content = path.read_bytes()
        return hashlib.sha256(content).hexdigest(), _leaf(content)
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 16):
            digest.update(chunk)
    return digest.hexdigest(), None


def _leaf(content: bytes) -> str | None:
    begin, end = content.find(_BEGIN), content.find(_END)
    if not 0 <= begin < end:
        return None
    try:
        return hashlib.sha256(base64.b64decode(content[begin + len(_BEGIN) : end])).hexdigest()
    except ValueError:
        return None
