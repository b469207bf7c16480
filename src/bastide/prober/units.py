"""What runs here, how much it could do, and which secrets are readable.

Out: exposure of each unit as `systemd-analyze security` scores it; files with keys or secrets that others may read;
the certificates that listeners show, and the files that these stand in.
"""

import hashlib
import os
import re
import socket
import ssl
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PLACES = (
    "/etc/bastide",
    "/etc/systemd/system",
    "/etc/default",
    "/var/lib/bastide",
    "/srv/bastide",
    "/var/log",
    "/tmp",  # noqa: S108 - looked into, not written to
    "/run",
)
_MOST = 4 << 20
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)


def exposures(request: "Mapping[str, Any]") -> "dict[str, float]":
    """`units`: their overall exposure, 0 to 10."""
    found = {}
    for unit in request["units"]:
        done = subprocess.run(
            ["systemd-analyze", "security", "--no-pager", unit], capture_output=True, text=True, check=False
        )
        last = [line for line in done.stdout.splitlines() if "Overall exposure level" in line]
        if last:
            found[unit] = float(last[0].split(":")[1].split()[0])
    return found


def readable_secrets(request: "Mapping[str, Any]") -> "dict[str, Any]":
    """`words`: secrets, searched for in every file that others can reach and read; a decoy is planted and must be found."""
    words = [str(word).encode() for word in request["words"]]
    decoy = Path("/run/bastide-verify-decoy")
    decoy.write_text(str(request["decoy"]))
    decoy.chmod(0o644)
    loose, looked, found_decoy = [], 0, False
    try:
        for place in _PLACES:
            for path, content in _open_to_others(Path(place)):
                looked += 1
                if path == decoy:
                    found_decoy = str(request["decoy"]).encode() in content
                elif b"PRIVATE KEY-----" in content or any(word in content for word in words):
                    loose.append(str(path))
    finally:
        decoy.unlink()
    return {"readable": loose, "looked_at": looked, "decoy_found": found_decoy}


def _open_to_others(place: Path) -> "list[tuple[Path, bytes]]":
    found: list[tuple[Path, bytes]] = []
    place = place.resolve()
    if not place.is_dir() or not all(p.stat().st_mode & 0o001 for p in (place, *place.parents)):
        return found
    for folder, inner, names in os.walk(place):
        # A folder that others cannot enter hides what is in it.
        inner[:] = [name for name in inner if _mode(Path(folder, name)) & 0o001]
        for name in names:
            path = Path(folder, name)
            mode = _mode(path)
            if stat.S_ISREG(mode) and mode & 0o004 and path.lstat().st_size <= _MOST:
                try:
                    found.append((path, path.read_bytes()))
                except OSError:
                    continue  # gone meanwhile
    return found


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def served(request: "Mapping[str, Any]") -> "dict[str, str]":
    """`listeners`: {address, port, name}. Out: the certificate that each shows, and the file of this generation that
    it stands in; empty where it stands in none."""
    files, found = certificate_files(), {}
    for one in request["listeners"]:
        digest = shown(one["address"], int(one["port"]), one["name"])
        found[f"{one['address']}:{one['port']}"] = digest if digest.startswith("no ") else files.get(digest, "")
    return found


def states(request: "Mapping[str, Any]") -> "dict[str, Any]":
    """`units`: whether each is active and enabled; and all units that have failed."""
    found = {}
    for unit in request["units"]:
        done = subprocess.run(
            ["systemctl", "show", "-p", "ActiveState,UnitFileState", unit],
            capture_output=True,
            text=True,
            check=True,
        )
        said = dict(line.split("=", 1) for line in done.stdout.splitlines())
        found[unit] = {"active": said["ActiveState"], "enabled": said["UnitFileState"]}
    failed = subprocess.run(
        ["systemctl", "list-units", "--failed", "--plain", "--no-legend"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {"units": found, "failed": [line.split()[0] for line in failed.stdout.splitlines() if line.strip()]}


def certificate_files(folder: str = "/etc/bastide") -> "dict[str, str]":
    """Files of this generation below that folder, by the digest of each certificate that they hold."""
    files: dict[str, str] = {}
    # The last slash goes through the link to the generation.
    for path in sorted(Path(f"{folder}/").rglob("*")):
        if path.suffix in (".pem", ".crt") and path.is_file():
            for pem in PEM.findall(path.read_text()):
                files.setdefault(hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest(), str(path))
    return files


def shown(address: str, port: int, name: str) -> str:
    """Digest of the certificate that a listener shows; `no answer: …` where it shows none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        # By TLS 1.3 a server shows its certificate first and asks for ours afterwards, so none is needed.
        with (
            socket.create_connection((address, port), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname=name) as wire,
        ):
            return hashlib.sha256(wire.getpeercert(binary_form=True) or b"").hexdigest()
    except OSError as error:
        return f"no answer: {error}"
