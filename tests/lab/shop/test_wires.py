"""Every wire inside: who may speak on it, and that nobody else can read along."""

from __future__ import annotations

import base64
import contextlib
import json
import shlex
import uuid

import pytest

from tests.lab.commands import Commands
from tests.lab.shop.conftest import Raised
from tests.lab.wire import Capture, capture

pytestmark = pytest.mark.lab

WEB_PORT, APP_PORT, SQL_PORT, STATUS_PORT = 8443, 9443, 3307, 3308
FOUND = {
    "balancer": ("lb1", "/etc/bastide/haproxy/client.pem"),
    "web": ("web2", "/etc/bastide/nginx/web.crt /etc/bastide/nginx/web.key"),
    "app": ("app2", "/etc/bastide/nginx/app.crt /etc/bastide/nginx/app.key"),
    "database": ("db2", "/etc/bastide/sqlproxy/tls/database.pem"),
}
"""Where a thief who is root finds the certificate and key of each role."""

FORGE = """
mkdir -p /run/loot; cd /run/loot; exec 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout false.key -out false.crt -days 2 \\
  -subj '/CN=false'
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout forged.pem -out forged.csr -subj /CN=$1
openssl x509 -req -in forged.csr -CA false.crt -CAkey false.key -days 1 >>forged.pem
"""

_GREETING = """
import socket, ssl, sys
address, port, certificate, newest = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.maximum_version = ssl.TLSVersion[newest]
if certificate != "none":
    context.load_cert_chain(f"/run/loot/{certificate}.pem")
try:
    with context.wrap_socket(socket.create_connection((address, int(port)), timeout=20)) as wire:
        print(wire.recv(100).decode("latin-1", "replace"))
except (ssl.SSLError, ConnectionError):
    pass
"""


@pytest.fixture(scope="module")
def at(raised: Raised) -> dict[str, str]:
    return raised.addresses()


@pytest.fixture(scope="module")
def thief(shop: Commands) -> object:
    """lb1, web1 and app1 as a thief would have them: with one stolen certificate of each role, and a forged one."""
    stolen = {
        role: base64.b64encode(shop.ask(host, f"cat {files}").encode()).decode()
        for role, (host, files) in FOUND.items()
    }
    places = {"lb1": "balancer.lb1", "web1": "web.web1", "app1": "app.app1"}
    for host, name in places.items():
        put = "\n".join(f"echo {text} | base64 -d >/run/loot/{role}.pem" for role, text in stolen.items())
        shop.ask(host, f"umask 077; mkdir -p /run/loot\n{put}\nset -- {name}\n{FORGE}")
    yield
    for host in places:
        shop.ask(host, "rm -r /run/loot")


def statuses(shop: Commands, host: str, url: str, name: str, certificates: list[str], *more: str) -> dict[str, str]:
    """What each certificate is answered: a status, or 000 where there was no answer."""
    where, _, path = url.removeprefix("https://").partition("/")
    address, _, port = where.partition(":")
    ca = "$(ls /etc/bastide/*/ca.* /etc/bastide/*/tls/root.pem 2>/dev/null | head -1)"
    curl = f"curl -s -m 20 -o /dev/null -w '%{{http_code}}\\n' --cacert {ca} --resolve {name}:{port}:{address}"
    curl += " ".join(["", *more])
    lines = [
        f"{curl} {'--cert /run/loot/' + c + '.pem' if c != 'none' else ''} https://{name}:{port}/{path} || true"
        for c in certificates
    ]
    return dict(zip(certificates, shop.ask(host, "\n".join(lines)).split(), strict=True))


def test_a_web_server_listens_to_balancers_alone(shop: Commands, thief: None, at: dict[str, str]) -> None:
    said = statuses(
        shop, "lb1", f"https://{at['web1']}:{WEB_PORT}/", "web.web1.shop.internal",
        ["none", "forged", "web", "app", "database", "balancer"],
    )  # fmt: skip
    assert said.pop("balancer") == "200", "the control: the right certificate opens"
    assert said.pop("none") in ("400", "000") and said.pop("forged") in ("400", "000")
    assert said == {"web": "403", "app": "403", "database": "403"}


def test_an_application_server_listens_to_web_servers_alone(
    shop: Commands, thief: None, at: dict[str, str]
) -> None:
    said = statuses(
        shop, "web1", f"https://{at['app1']}:{APP_PORT}/whoami", "app.app1.shop.internal",
        ["none", "forged", "balancer", "app", "database", "web"],
    )  # fmt: skip
    assert said.pop("web") == "200"
    assert said.pop("none") in ("400", "000") and said.pop("forged") in ("400", "000")
    assert said == {"balancer": "403", "app": "403", "database": "403"}


def test_the_database_greets_applications_alone(shop: Commands, thief: None, at: dict[str, str]) -> None:
    def greeting(certificate: str, newest: str = "TLSv1_3") -> str:
        ask = f"python3 - {at['db1']} {SQL_PORT} {certificate} {newest} <<'END'\n{_GREETING}END"
        return shop.ask("app1", ask)

    assert "MariaDB" in greeting("app")
    for stranger in ("none", "forged", "web", "balancer", "database"):
        assert greeting(stranger) == "", f"the database greeted {stranger}"
    assert greeting("app", "TLSv1_2") == "", "TLS 1.2 was good enough"
    said = statuses(
        shop, "app1", f"https://{at['db1']}:{STATUS_PORT}/primary", "database.db1.shop.internal",
        ["none", "forged", "web", "balancer", "app"],
    )  # fmt: skip
    assert said.pop("app") in ("200", "503") and set(said.values()) == {"000"}


def test_inside_only_tls_1_3_is_spoken(shop: Commands, thief: None, at: dict[str, str]) -> None:
    for host, name, port, role in (("lb1", "web", WEB_PORT, "balancer"), ("web1", "app", APP_PORT, "web")):
        url = f"https://{at[name + '1']}:{port}/.bastide/live"
        old = statuses(shop, host, url, f"{name}.{name}1.shop.internal", [role], "--tls-max", "1.2")
        new = statuses(shop, host, url, f"{name}.{name}1.shop.internal", [role], "--tlsv1.3")
        assert old == {role: "000"} and new[role] != "000"


def test_a_server_with_another_name_is_not_believed(shop: Commands, thief: None, at: dict[str, str]) -> None:
    """The control of our client side: web2's certificate does not pass for web1's."""
    said = statuses(shop, "lb1", f"https://{at['web2']}:{WEB_PORT}/", "web.web1.shop.internal", ["balancer"])
    assert said == {"balancer": "000"}


def test_nothing_that_visitors_send_is_readable_on_any_inner_wire(shop: Commands) -> None:
    word = f"canary-{uuid.uuid4().hex}"
    with contextlib.ExitStack() as stack:
        taken: dict[str, Capture] = {
            host: stack.enter_context(capture(shop, host)) for host in ("web1", "app1", "db1")
        }
        sent = tell_ledger(shop, word, times=6)
    assert sent == ["201"] * 6
    for host, port in (("web1", WEB_PORT), ("web1", APP_PORT), ("app1", SQL_PORT), ("db1", 3306)):
        assert taken[host].ports[port] > 10, f"{host} saw no traffic on {port}: {taken[host].ports}"
    assert not any(seen.shows(word) for seen in taken.values())


def tell_ledger(shop: Commands, word: str, *, times: int) -> list[str]:
    """Write entries that hold the word, by way of the whole chain; the answers."""
    entries = [json.dumps({"id": f"{word}-{n}", "value": word}) for n in range(times)]
    post = (
        "curl -s -o /dev/null -w '%{http_code}\\n' -H 'Content-Type: application/json' https://shop.test/api/ledger"
    )
    return shop.ask("client", "\n".join(f"{post} -d {shlex.quote(entry)}" for entry in entries)).split()
