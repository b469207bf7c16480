"""HAProxy's part of a balancer: configuration, certificates, pages, units.

In: a HostContext. Out: a Fragment. Holds: private keys are readable by root alone (the master reads them before its
workers give up root).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bastide.policy.materials import KeyPair
from bastide.products.context import HostContext
from bastide.products.fragment import Check, Directory, File, Fragment, Probe, Unit
from bastide.products.haproxy.servers import CLIENT_PAIR, FOLDER, TRUST_ANCHOR
from bastide.products.haproxy.view import LOG_FOLDER, HaproxyView, derive_view
from bastide.products.templates import render_template

_PACKAGE = __name__.rpartition(".")[0]
_UNITS = {
    "haproxy.service": "haproxy.service.j2",
    "bastide-haproxy-log.service": "log-trim.service.j2",
    "bastide-haproxy-log.timer": "log-trim.timer.j2",
}
_UNIT_FOLDER = "/etc/systemd/system"


def render(context: HostContext) -> Fragment:
    """HAProxy on that host. Raises PageTooLarge."""
    view = derive_view(context)
    return Fragment(
        product="haproxy",
        packages=("curl", "haproxy", "openssl", *(("python3",) if view.track_folder else ())),
        directories=(Directory(path=LOG_FOLDER, mode=0o750, group="adm"),),
        files=tuple(_files(context, view)),
        units=(
            Unit(name="haproxy.service", reload_on=(f"{FOLDER}/",)),
            Unit(name="bastide-haproxy-log.timer", kind="timer"),
        ),
        checks=(
            Check(name="haproxy", argv=("haproxy", "-c", "-dW", "-f", f"{FOLDER}/haproxy.cfg")),
            Check(
                name="haproxy units",
                argv=("systemd-analyze", "verify", "--man=no", *(f"{_UNIT_FOLDER}/{name}" for name in _UNITS)),
                quiet=True,
            ),
        ),
        probes=tuple(_probes(context.materials.edge, view)),
    )


def _files(context: HostContext, view: HaproxyView) -> Iterator[File]:
    yield File(path=f"{FOLDER}/haproxy.cfg", content=render_template(_PACKAGE, "haproxy.cfg.j2", view).encode())
    yield _pem(f"{FOLDER}/edge.pem", context.materials.edge)
    if view.mutual_tls:
        yield _pem(CLIENT_PAIR, context.key_pair("balancer"))
        yield File(path=TRUST_ANCHOR, content=context.materials.trust_anchor_pem.encode())
    if view.track_folder:
        script = files(_PACKAGE).joinpath("hand_over.py").read_bytes()
        yield File(path=f"{FOLDER}/hand_over.py", content=script)
    for status, answer in view.pages.items():
        yield File(path=f"{FOLDER}/errors/{status}.http", content=answer)
    for name, template in _UNITS.items():
        yield File(path=f"{_UNIT_FOLDER}/{name}", content=render_template(_PACKAGE, template, view).encode())


def _pem(path: str, pair: KeyPair) -> File:
    content = f"{pair.certificate_pem.rstrip()}\n{pair.key_pem.rstrip()}\n"
    return File(path=path, content=content.encode(), mode=0o600, secret=True)


def _probes(edge: KeyPair, view: HaproxyView) -> Iterator[Probe]:
    domain, endpoint = view.domains[0], f"127.0.0.1:{view.https_port}"
    # A reload can report success while old workers go on serving the old certificate: look at the wire.
    leaf = x509.load_pem_x509_certificate(edge.certificate_pem.encode())
    fingerprint = hashlib.sha256(leaf.public_bytes(Encoding.DER)).hexdigest().upper()
    yield Probe(
        name="the configured certificate is on the wire",
        argv=(
            "/bin/sh",
            "-c",
            'openssl s_client -connect "$1" -servername "$2" </dev/null 2>/dev/null'
            ' | openssl x509 -noout -fingerprint -sha256 | tr -d : | grep -q "=$3\\$"',
            "sh",
            endpoint,
            domain,
            fingerprint,
        ),
    )
    yield Probe(
        name="the edge answers HTTPS",
        argv=(
            "curl", "--silent", "--show-error", "--insecure", "--output", "/dev/null", "--max-time", "5",
            "--resolve", f"{domain}:{view.https_port}:127.0.0.1", f"https://{domain}:{view.https_port}/",
        ),
    )  # fmt: skip
