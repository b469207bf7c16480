"""A reload under load: no client notices, the new certificate is on the wire, every request is accounted for."""

from __future__ import annotations

import hashlib
import signal
import ssl
import subprocess
import threading
from collections import Counter
from pathlib import Path

import pytest

from bastide.policy.materials import KeyPair
from bastide.products.haproxy.render import render
from tests.unit.products.haproxy import authority, scene
from tests.unit.products.haproxy.test_failover import UNLIMITED
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(not scene.has("haproxy", "openssl"), reason="needs haproxy and openssl")


def load(edge: scene.Edge, method: str, until: threading.Event, told: Counter[int]) -> None:
    client = edge.client()
    while not until.is_set():
        client.request(method, "/load")
        response = client.getresponse()
        response.read()
        told[response.status] += 1
        if response.will_close:
            client = edge.client()
    client.close()


def on_the_wire(edge: scene.Edge) -> str:
    with edge.connect() as tls:
        return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()


def await_on_the_wire(edge: scene.Edge, expected: str) -> None:
    """Until ten connections in a row are shown that certificate: an old worker that goes on serving fails this."""
    wait_for(lambda: {on_the_wire(edge) for _ in range(10)}, lambda seen: seen == {expected})


def await_master(edge: scene.Edge) -> None:
    """The master answers once it has finished starting; a signal before that is lost."""

    def said() -> str:
        try:
            return edge.command("show proc", of="master")
        except OSError as error:
            return str(error)

    wait_for(said, lambda answer: "worker" in answer)


def fingerprint(pair: KeyPair) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pair.certificate_pem)).hexdigest()


def test_reloads_under_load(tmp_path: Path) -> None:
    context = scene.context(ports=scene.moved_ports(), balancer={"rate_limit": UNLIMITED})
    with (
        scene.web_server(context, "web1", tmp_path),
        scene.web_server(context, "web2", tmp_path),
        scene.edge(context, tmp_path, master=True) as edge,
    ):
        until, told = threading.Event(), Counter[int]()
        clients = [threading.Thread(target=load, args=(edge, method, until, told)) for method in ("GET", "POST")]
        for client in clients:
            client.start()
        assert on_the_wire(edge) == fingerprint(context.materials.edge)
        for name in ("second", "third"):
            renewed = authority.leaf(name, (scene.DOMAIN,))
            (tmp_path / "etc/bastide/haproxy/edge.pem").write_text(renewed.certificate_pem + renewed.key_pem)
            await_master(edge)
            edge.process.send_signal(signal.SIGUSR2)
            await_on_the_wire(edge, fingerprint(renewed))
        until.set()
        for client in clients:
            client.join()
        assert set(told) == {200}
        # On a starved machine HAProxy gives up on a line in a thousand, and forgets at a reload that it did.
        wait_for(lambda: len(edge.requests_logged()), lambda lines: lines >= 0.995 * sum(told.values()))
        ids = [fields[14] for fields in edge.requests_logged()]
        assert len(ids) == len(set(ids)), "a line was doubled"
        assert len(ids) <= sum(told.values())


def test_the_probes_tell_the_right_certificate_from_another(tmp_path: Path) -> None:
    context = scene.context(ports=scene.moved_ports())
    with scene.edge(context, tmp_path):
        for probe in render(context).probes:
            assert subprocess.run(probe.argv, check=False).returncode == 0, probe.name
        wire = render(context).probes[0]
        other = fingerprint(authority.leaf("other", (scene.DOMAIN,))).upper()
        assert subprocess.run([*wire.argv[:-1], other], check=False).returncode != 0
    for probe in render(context).probes:
        assert subprocess.run(probe.argv, check=False, stderr=subprocess.DEVNULL).returncode != 0, probe.name
