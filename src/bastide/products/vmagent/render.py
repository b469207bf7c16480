"""vmagent on every host: it scrapes loopback and ships to each monitor, from disk when it must.

In: HostContext. Out: its scrape configuration, the host's certificate, its unit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment, Probe, Unit, User
from bastide.products.probes import expect_status
from bastide.products.sandbox import format_sandbox
from bastide.products.templates import render_template
from bastide.products.vmagent.view import FOLDER, VmagentView, certificate_role, derive_scrapes, derive_view

UNIT = "/etc/systemd/system/vmagent.service"
SCRAPES = f"{FOLDER}/scrape.yml"


def render(context: HostContext) -> Fragment:
    """vmagent on that host."""
    view = derive_view(context, format_sandbox("AF_UNIX", "AF_INET", "AF_INET6"))
    return Fragment(
        product="vmagent",
        packages=("victoria-metrics", "curl"),
        users=(User(name=view.user),),
        files=tuple(_files(context, view)),
        units=(
            Unit(
                name="vmagent.service",
                # What is not shipped yet is on disk when it stops, so a restart loses nothing.
                restart_on=(f"{FOLDER}/agent.crt", f"{FOLDER}/agent.key", f"{FOLDER}/ca.crt"),
                reload_on=(SCRAPES,),
                # Debian's package brings a store that would listen on every address.
                stops_before=("victoria-metrics.service",),
            ),
        ),
        checks=(
            Check(
                name="vmagent: scrape configuration",
                argv=("vmagent", "-dryRun", "-loggerLevel=ERROR", f"-promscrape.config={SCRAPES}"),
            ),
        ),
        probes=(Probe(name="vmagent answers", argv=expect_status(200, f"http://{view.listen}/health")),),
    )


def _files(context: HostContext, view: VmagentView) -> Iterator[File]:
    pair = context.key_pair(certificate_role())
    yield File(path=SCRAPES, content=json.dumps(derive_scrapes(context), indent=1).encode() + b"\n")
    yield File(path=f"{FOLDER}/ca.crt", content=context.materials.trust_anchor_pem.encode())
    yield File(path=f"{FOLDER}/agent.crt", content=pair.certificate_pem.encode())
    yield File(path=f"{FOLDER}/agent.key", content=pair.key_pem.encode(), mode=0o640, group=view.user, secret=True)
    yield File(path=UNIT, content=render_template(__package__, "vmagent.service.j2", view).encode())
