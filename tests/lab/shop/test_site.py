"""What visitors get: the site over HTTPS alone, purchases, files, and the truth about who they are."""

from __future__ import annotations

import json
import re
import socket
import ssl
import uuid

import pytest

from tests.lab.commands import Commands
from tests.lab.shop.conftest import Raised
from tests.waiting import wait_for

pytestmark = pytest.mark.lab

BUYER = ["name=Ada", "email=ada@example.org", "address=1 Engine Row"]


def test_a_stranger_that_does_not_know_the_ca_is_warned(raised: Raised) -> None:
    argv = ["curl", "-s", "--max-time", "5", "--cacert", "/etc/ssl/certs/ca-certificates.crt"]
    stranger = raised.curl(*argv[1:], raised.facts["url"])
    assert stranger.returncode == 60, "the project's CA must not be one that this computer trusts anyway"


def test_the_printed_address_answers_here_with_the_printed_ca(raised: Raised) -> None:
    page = raised.curl("--write-out", "%{http_code} %{http_version}", raised.facts["url"])
    assert page.returncode == 0, page.stderr
    assert "Hearth" in page.stdout and page.stdout.endswith("200 2")


def test_the_internet_reaches_it_by_name_trusting_the_system_store(shop: Commands) -> None:
    head = shop.ask("client", "curl -s -D - -o /dev/null --http2 https://shop.test/").lower()
    assert head.startswith("http/2 200")
    assert "strict-transport-security: max-age=63072000" in head
    head = shop.ask("client", "curl -s -D - -o /dev/null 'http://shop.test/product/stoneware-mug?a=b'").lower()
    assert head.startswith("http/1.1 301")
    assert "location: https://shop.test/product/stoneware-mug?a=b" in head


def test_old_tls_and_foreign_names_are_refused_at_the_edge(shop: Commands) -> None:
    answers = shop.ask(
        "client",
        "curl -s -o /dev/null -w '%{http_code}\\n' --tls-max 1.2 https://shop.test/\n"
        "curl -s -o /dev/null -w '%{http_code}\\n' -H 'Host: elsewhere.test' https://shop.test/\n"
        "curl -s -o /dev/null -w '%{http_code}\\n' https://shop.test/.bastide/health\n"
        "curl -s -o /dev/null -w '%{http_code}\\n' --ciphers DEFAULT:@SECLEVEL=0 --tls-max 1.1 https://shop.test/ || true",
    )
    assert answers.split() == ["200", "421", "404", "000"]


def test_a_visitor_buys_something_through_the_forms(shop: Commands) -> None:
    browse = "curl -s -b /tmp/jar -c /tmp/jar --fail-with-body"
    shop.ask("client", "rm -f /tmp/jar")

    def hidden(path: str, field: str) -> str:
        page = shop.ask("client", f"{browse} https://shop.test{path}")
        found = re.search(rf'name="{field}" value="([^"]+)"', page)
        assert found, page
        return found[1]

    def send(path: str, *fields: str) -> str:
        data = " ".join(f"--data-urlencode '{field}'" for field in fields)
        status = "-o /dev/null -w '%{http_code} %{redirect_url}'"
        return shop.ask("client", f"curl -s -b /tmp/jar -c /tmp/jar {status} {data} https://shop.test{path}")

    token = hidden("/product/stoneware-mug", "csrf")
    assert send("/cart/add", "csrf=forged", "product_id=1", "quantity=2").startswith("403")
    assert send("/cart/add", f"csrf={token}", "product_id=1", "quantity=2") == "303 https://shop.test/cart"
    key = hidden("/checkout", "idempotency_key")
    bought = send("/checkout", f"csrf={token}", f"idempotency_key={key}", *BUYER)
    assert re.fullmatch(r"303 https://shop\.test/order/[\w-]+", bought)
    assert send("/checkout", f"csrf={token}", f"idempotency_key={key}", *BUYER) == bought, "pressed twice"
    order = shop.ask("client", f"{browse} {bought.split()[1]}")
    assert "Stoneware mug" in order and "€33.00" in order and "Ada" in order


def test_an_order_by_the_api_is_placed_once_however_often_it_is_sent(shop: Commands) -> None:
    order = json.dumps({"items": [{"product_id": 2, "quantity": 1}], "idempotency_key": f"e2e-{uuid.uuid4().hex}"})
    send = f"curl -s -w '\\n%{{http_code}}\\n' -H 'Content-Type: application/json' -d '{order}' https://shop.test/api/orders"
    first, _, created = shop.ask("client", send).rpartition("\n")
    second, _, repeated = shop.ask("client", send).rpartition("\n")
    assert (created, repeated) == ("201", "200")
    assert json.loads(first)["id"] == json.loads(second)["id"]


def test_files_come_from_the_web_servers_themselves(shop: Commands) -> None:
    head, _, size = shop.ask(
        "client",
        "curl -s -D - -o /tmp/1k https://shop.test/static/1k.txt; wc -c </tmp/1k",
    ).rpartition("\n")
    assert size == "1024"
    assert "x-content-type-options: nosniff" in head.lower() and "max-age=3600" in head.lower()

    def logged(*hosts: str) -> str:
        log = f"/var/log/bastide/nginx-{hosts[0][:3]}.tsv"
        return "".join(shop.ask(host, f"grep -a /static/1k.txt {log} || true") for host in hosts)

    # nginx writes its line when it has answered.
    wait_for(lambda: logged("web1", "web2"), lambda lines: "\t/static/\t" in lines)
    assert logged("app1", "app2") == "", "the application was asked for a file"


def test_both_application_hosts_answer_and_know_who_really_asks(shop: Commands) -> None:
    address = shop.ask("client", "ip -4 -o addr show dev pub0 | awk '{print $4}' | cut -d/ -f1")

    def ask() -> list[dict[str, str]]:
        said = shop.ask("client", "for i in 1 2 3 4 5 6 7 8; do curl -s https://shop.test/whoami; done")
        return [json.loads(line) for line in said.replace("}", "}\n").split("\n") if line.strip()]

    # A web server leaves one that failed alone for 5 s.
    answers = wait_for(ask, lambda seen: {answer["host_name"] for answer in seen} == {"app1", "app2"}, every_s=1)
    assert {(answer["remote_address"], answer["scheme"], answer["host"]) for answer in answers} == {
        (address, "https", "shop.test")
    }


def test_nobody_is_believed_about_another_address(shop: Commands) -> None:
    forged = "-H 'X-Forwarded-For: 203.0.113.9' -H 'X-Real-IP: 203.0.113.9' -H 'Forwarded: for=203.0.113.9'"
    forged += " -H 'X-Forwarded-Proto: http' -H 'X-Forwarded-Host: evil.test'"
    said = json.loads(shop.ask("client", f"curl -s {forged} https://shop.test/whoami"))
    assert (
        said["remote_address"].startswith("198.18.") and said["scheme"] == "https" and said["host"] == "shop.test"
    )


def test_the_edge_certificate_names_the_domain_and_nothing_else(raised: Raised) -> None:
    context = ssl.create_default_context(cafile=raised.facts["ca"])
    plain = socket.create_connection((raised.edge, 443), timeout=5)
    with context.wrap_socket(plain, server_hostname="shop.test") as wrapped:
        certificate = wrapped.getpeercert()
    assert certificate is not None
    assert certificate["subjectAltName"] == (("DNS", "shop.test"),)
