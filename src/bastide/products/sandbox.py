"""The sandbox of a daemon that needs nothing but its files and its sockets, as lines of its unit.

In: address families, and what this daemon needs otherwise. Out: lines for `[Service]`.
Holds: a setting is given up only by name, where the product says why.
"""

from __future__ import annotations

_STRICT = {
    "UMask": "0077",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "ProcSubset": "pid",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RemoveIPC": "yes",
    "SystemCallArchitectures": "native",
}


def format_sandbox(*families: str, calls: tuple[str, ...] = (), **other: str) -> tuple[str, ...]:
    """Lines of the unit. `families`: address families it may use; `calls`: further system calls; `other`: settings
    that replace those above."""
    settings = _STRICT | other
    return (
        *(f"{name}={value}" for name, value in settings.items()),
        f"RestrictAddressFamilies={' '.join(families)}",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged",
        *((f"SystemCallFilter={' '.join(calls)}",) if calls else ()),
    )
