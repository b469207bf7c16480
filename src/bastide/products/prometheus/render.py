"""Prometheus on a monitor: the store of metrics, and the judge of rules.

In: HostContext. Out: its configuration, every product's rules, its unit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bastide.products.context import HostContext
from bastide.products.fragment import Check, Directory, File, Fragment, Probe, Unit
from bastide.products.probes import expect_status
from bastide.products.prometheus.rules import dashboard_url, derive_rules
from bastide.products.prometheus.view import DATA, FOLDER, PrometheusView, derive_configuration, derive_view
from bastide.products.rules import to_plain
from bastide.products.sandbox import format_sandbox
from bastide.products.templates import render_template

UNIT = "/etc/systemd/system/prometheus.service"
CONFIG = f"{FOLDER}/prometheus.yml"


def render(context: HostContext) -> Fragment:
    """Prometheus on that host."""
    view = derive_view(context, format_sandbox("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"))
    return Fragment(
        product="prometheus",
        packages=("prometheus", "curl"),
        directories=(Directory(path=DATA, mode=0o750, owner="prometheus", group="prometheus"),),
        files=tuple(_files(context, view)),
        units=(Unit(name="prometheus.service", reload_on=(f"{FOLDER}/",)),),
        checks=(Check(name="promtool check config", argv=("promtool", "check", "config", CONFIG)),),
        probes=(
            # It reads its log of the last hours before it is ready.
            Probe(
                name="prometheus is ready",
                argv=expect_status(200, f"http://{view.listen}/-/ready"),
                timeout_s=120.0,
            ),
        ),
    )


def _files(context: HostContext, view: PrometheusView) -> Iterator[File]:
    # JSON is YAML, and its quoting cannot go wrong.
    yield File(path=CONFIG, content=_json(derive_configuration()))
    for product, groups in derive_rules(context.spec, context.topology).items():
        plain = {"groups": [to_plain(group, dashboard_url(context.topology)) for group in groups]}
        yield File(path=f"{FOLDER}/rules/{product}.yml", content=_json(plain))
    yield File(path=UNIT, content=render_template(__package__, "prometheus.service.j2", view).encode())


def _json(plain: object) -> bytes:
    return json.dumps(plain, indent=1, ensure_ascii=False).encode() + b"\n"
