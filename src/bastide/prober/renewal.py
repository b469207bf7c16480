"""A certificate is changed and its service reloaded: which one is on the wire then?

In: a listener, its unit, a certificate with the same names and key. Out: what was on the wire before, after, and when
the first one was back. Holds: the file is put back whatever happens; only the first certificate of the file changes, so
no key is read by anybody.
"""

import hashlib
import os
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bastide.prober.units import PEM, certificate_files, shown

_PATIENCE_S = 20.0
_LOOKS = 10


def certificate_of(request: "Mapping[str, Any]") -> "dict[str, str]":
    """`address`, `port`, `name`; `folder` of its product: the file that holds what this listener shows, and the
    certificate itself. Several products may hold the same one."""
    digest = shown(str(request["address"]), int(request["port"]), str(request["name"]))
    path = certificate_files(str(request["folder"])).get(digest, "")
    found = [pem for pem in PEM.findall(Path(path).read_text()) if _digest(pem) == digest] if path else []
    return {"file": path, "certificate": found[0] if found else "", "shown": digest}


def renew(request: "Mapping[str, Any]") -> "dict[str, Any]":
    """`address`, `port`, `name`; `unit`; `file`; `old`, `new`: certificates."""
    path, unit = Path(str(request["file"])), str(request["unit"])
    was, old, new = path.read_bytes(), str(request["old"]), str(request["new"])
    changed = was.replace(old.strip().encode(), new.strip().encode(), 1)
    if changed == was:
        raise ValueError(f"{path} does not hold that certificate")
    told: dict[str, Any] = {"file": str(path), "unit": unit}
    try:
        _write(path, changed)
        told["after"] = _reload_and_look(request, unit, _digest(new))
    finally:
        _write(path, was)
        told["back"] = _reload_and_look(request, unit, _digest(old))
    return told


def _reload_and_look(request: "Mapping[str, Any]", unit: str, wanted: str) -> "dict[str, Any]":
    began = time.monotonic()
    done = subprocess.run(["systemctl", "reload", unit], capture_output=True, text=True, check=False)
    seen = look_until_settled(
        lambda: shown(str(request["address"]), int(request["port"]), str(request["name"])), wanted
    )
    return {
        "reload": "done" if done.returncode == 0 else done.stderr.strip()[-200:],
        "on_the_wire": seen[-_LOOKS:] == [wanted] * _LOOKS,
        "others_seen": sum(one != wanted for one in seen),
        "seconds": round(time.monotonic() - began, 1),
    }


def look_until_settled(look: "Callable[[], str]", wanted: str, patience_s: float = _PATIENCE_S) -> "list[str]":
    """What each look showed. Old workers may take what is already in their queue; after that every connection must
    show the wanted one. Patience is for others: on a busy host the last looks alone may take longer than that."""
    began, seen = time.monotonic(), [look()]
    while seen[-_LOOKS:] != [wanted] * _LOOKS:
        if seen[-1] != wanted:
            if time.monotonic() - began > patience_s:
                break
            time.sleep(0.1)
        seen.append(look())
    return seen


def _write(path: Path, content: bytes) -> None:
    """Replaced in one step, with its owner and mode."""
    before, beside = path.stat(), path.with_name(f".{path.name}.bastide-verify")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.chown(beside, before.st_uid, before.st_gid)
    beside.chmod(before.st_mode & 0o7777)
    beside.replace(path)


def _digest(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
