"""How a frame gets from this host to an address: interface, own address, and the next hop's hardware address.

In: an address (IPv6 link-local ones with `%interface`). Out: a Path, or None where there is no way.
"""

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from bastide.prober.frames import Path


def list_addresses(_: "Mapping[str, Any]") -> "list[dict[str, Any]]":
    """`addresses`, as an operation."""
    return addresses()


def addresses() -> "list[dict[str, Any]]":
    """Every address of this host but loopback's, with its interface."""
    found = []
    for link in _ip("address", "show"):
        if link["ifname"] != "lo":
            found += [
                {
                    "interface": link["ifname"],
                    "address": a["local"],
                    "family": a["family"],
                    "scope": a["scope"],
                    "prefix": a.get("prefixlen", 0),
                }
                for a in link.get("addr_info", [])
                if "local" in a
            ]
    return found


def find_path(target: str, *, source: "str | None" = None, via: "str | None" = None) -> "Path | None":
    """The way to an address. `source`: say that frames come from there; `via`: hand them to that neighbour."""
    bare, _, scope = target.partition("%")
    hop, _, hop_scope = (via or target).partition("%")
    words = ["route", "get", hop] + (["dev", hop_scope or scope] if hop_scope or scope else [])
    routes = _ip(*words)
    if (
        not routes
        or routes[0].get("type") in ("unreachable", "prohibit", "blackhole", "local")
        or "dev" not in routes[0]
    ):
        return None
    device = str(routes[0]["dev"])
    if device == "lo":
        return None
    own = source or routes[0].get("prefsrc") or _link_local(device)
    mac = _neighbour(str(routes[0].get("gateway", hop)), device)
    if own is None or mac is None:
        return None
    # Not from /sys, which shows the namespace that it was mounted in.
    own_mac = bytes.fromhex(str(_ip("link", "show", "dev", device)[0]["address"]).replace(":", ""))
    return Path(device, str(own), bare, own_mac, mac)


def _neighbour(address: str, device: str) -> "bytes | None":
    _knock(address, device)
    for _ in range(20):
        for entry in _ip("neighbour", "show", "to", address, "dev", device):
            if "lladdr" in entry and not {"FAILED", "INCOMPLETE"} & set(entry.get("state", [])):
                return bytes.fromhex(str(entry["lladdr"]).replace(":", ""))
        time.sleep(0.1)
        _knock(address, device)
    return None


def _knock(address: str, device: str) -> None:
    """Have the kernel ask for the neighbour: an echo request's first bytes, which every wall of ours lets out."""
    ip6 = ":" in address
    family, protocol = (socket.AF_INET6, 58) if ip6 else (socket.AF_INET, 1)
    request = b"\x80\0\0\0\0\1\0\1" if ip6 else b"\x08\0\xf7\xfd\0\1\0\1"
    with socket.socket(family, socket.SOCK_RAW, protocol) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        with contextlib.suppress(OSError):  # no neighbour is found then
            raw.sendto(request, (address, 0, 0, socket.if_nametoindex(device)) if ip6 else (address, 0))


def _link_local(device: str) -> "str | None":
    return next((a["address"] for a in addresses() if a["interface"] == device and a["scope"] == "link"), None)


def _ip(*words: str) -> "list[dict[str, Any]]":
    done = subprocess.run(["ip", "-json", *words], capture_output=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else []
    return found
