"""blackbox_exporter on a monitor: it asks for the site and the web servers as others do.

In: HostContext. Out: its configuration, the monitor's certificate, its unit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bastide.products.blackbox.view import FOLDER, BlackboxView, derive_view
from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment, Probe, Unit, User
from bastide.products.probes import expect_status
from bastide.products.sandbox import format_sandbox
from bastide.products.templates import render_template

UNIT = "/etc/systemd/system/prometheus-blackbox-exporter.service"
CONFIG = f"{FOLDER}/blackbox.yml"
PROGRAM = "/usr/bin/prometheus-blackbox-exporter"


def render(context: HostContext) -> Fragment:
    """blackbox_exporter on that host."""
    view = derive_view(context, format_sandbox("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"))
    return Fragment(
        product="blackbox",
        packages=("prometheus-blackbox-exporter", "curl", "ca-certificates"),
        users=(User(name=view.user),),
        files=(*_files(context, view),),
        # A certificate is read with each question, the configuration at a reload.
        units=(Unit(name="prometheus-blackbox-exporter.service", reload_on=(f"{FOLDER}/",)),),
        checks=(Check(name="blackbox_exporter", argv=(PROGRAM, f"--config.file={CONFIG}", "--config.check")),),
        probes=(
            Probe(name="blackbox_exporter answers", argv=expect_status(200, f"http://{view.listen}/-/healthy")),
        ),
    )


def _files(context: HostContext, view: BlackboxView) -> Iterator[File]:
    # JSON is YAML, and its quoting cannot go wrong.
    yield File(path=CONFIG, content=json.dumps(_modules(view), indent=1).encode() + b"\n")
    yield File(path=f"{FOLDER}/ca.crt", content=context.materials.trust_anchor_pem.encode())
    if view.mtls:
        pair = context.key_pair("monitor")
        yield File(path=f"{FOLDER}/monitor.crt", content=pair.certificate_pem.encode())
        yield File(
            path=f"{FOLDER}/monitor.key", content=pair.key_pem.encode(), mode=0o640, group=view.user, secret=True
        )
    yield File(path=UNIT, content=render_template(__package__, "blackbox-exporter.service.j2", view).encode())


def _modules(view: BlackboxView) -> dict[str, Any]:
    web: dict[str, Any] = {"valid_status_codes": [200]}
    if view.mtls:
        web |= {
            "fail_if_not_ssl": True,
            "tls_config": {
                "ca_file": f"{FOLDER}/ca.crt",
                "cert_file": f"{FOLDER}/monitor.crt",
                "key_file": f"{FOLDER}/monitor.key",
                "server_name": view.web_name,
            },
        }
    site: dict[str, Any] = {
        "valid_status_codes": [*range(200, 207), 301, 302, 303, 307, 308],
        # Where it leads is another request, perhaps to a host that the walls do not let a monitor reach.
        "follow_redirects": False,
        "fail_if_not_ssl": True,
        "headers": {"User-Agent": "bastide-monitor"},
        "tls_config": {"ca_file": view.site_ca} if view.site_ca else {},
    }
    return {
        "modules": {
            "site": {"prober": "http", "timeout": "4s", "http": site},
            "web": {"prober": "http", "timeout": "4s", "http": web},
        }
    }
