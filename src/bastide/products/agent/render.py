"""The monitoring agent on every host.

In: HostContext. Out: its program, settings, certificate and units, and the probe that it answers.
"""

from __future__ import annotations

import json

from bastide.policy.identities import AGENT
from bastide.products.agent.view import (
    CURRENT,
    FOLDER,
    PROGRAM,
    RUNTIME,
    SETTINGS,
    USER,
    AgentView,
    derive_settings,
)
from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment, Probe, Unit, User
from bastide.products.sandbox import format_sandbox
from bastide.products.templates import render_template
from bastide.products.zipapp import build_zipapp

PACKAGE = "bastide.products.agent"
_UNITS = (
    "bastide-agent.service",
    "bastide-agent-firewall.service",
    "bastide-agent-drift.service",
    "bastide-agent-drift.timer",
    "bastide-agent-drift.path",
)


def render(context: HostContext) -> Fragment:
    """The agent of one host."""
    pair = context.key_pair(AGENT)
    view = AgentView(
        host=context.host.name,
        user=USER,
        program=PROGRAM,
        settings=SETTINGS,
        runtime=RUNTIME,
        current=CURRENT,
        # Load, memory and traffic are in /proc beside the processes.
        sandbox=format_sandbox("AF_UNIX", "AF_INET", "AF_INET6", ProcSubset="all"),
        drift_sandbox=format_sandbox(
            "AF_UNIX",
            PrivateNetwork="yes",
            CapabilityBoundingSet="CAP_DAC_READ_SEARCH",
            AmbientCapabilities="CAP_DAC_READ_SEARCH",
            ProtectHome="read-only",
        ),
        firewall_sandbox=format_sandbox(
            "AF_UNIX", "AF_NETLINK", CapabilityBoundingSet="CAP_NET_ADMIN", AmbientCapabilities="CAP_NET_ADMIN"
        ),
    )
    return Fragment(
        product="agent",
        packages=("python3", "nftables"),
        users=(User(name=USER, groups=("adm", "systemd-journal")),),
        files=(
            File(path=PROGRAM, content=build_zipapp("bastide.agent")),
            File(path=SETTINGS, content=json.dumps(derive_settings(context), indent=1).encode() + b"\n"),
            File(path=f"{FOLDER}/root.pem", content=context.materials.trust_anchor_pem.encode()),
            File(path=f"{FOLDER}/certificate.pem", content=pair.certificate_pem.encode()),
            File(path=f"{FOLDER}/key.pem", content=pair.key_pem.encode(), mode=0o640, group=USER, secret=True),
            *(
                File(
                    path=f"/etc/systemd/system/{name}",
                    content=render_template(PACKAGE, f"{name}.j2", view).encode(),
                )
                for name in _UNITS
            ),
        ),
        units=(
            Unit(name="bastide-agent-firewall.service"),
            # What it has counted is on disk, and certificates are read at each connection: a restart loses nothing.
            Unit(name="bastide-agent.service", restart_on=(PROGRAM, SETTINGS)),
            Unit(name="bastide-agent-drift.timer", kind="timer"),
            Unit(name="bastide-agent-drift.path"),
        ),
        checks=(Check(name="agent: settings", argv=("/usr/bin/python3", "-I", PROGRAM, "check", SETTINGS)),),
        probes=(Probe(name="the agent answers", argv=("/usr/bin/python3", "-I", PROGRAM, "ready", SETTINGS)),),
    )
