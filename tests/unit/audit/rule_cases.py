"""For each rule a design that it fires on, and one that it does not: one table."""

from __future__ import annotations

from collections.abc import Mapping

from tests.unit.audit.subjects import GOOD_ALERTING, Design, design
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD

APP = {"kind": "wsgi", "entry": "shop:app"}
STATIC_SITE = {"lb1": ["balancer"], "lb2": ["balancer"], "web1": ["web"], "web2": ["web"]}
FILES = {"kind": "static", "path": "./site"}
GOOD = design()
BOARD = design(WHITEBOARD, tls={"inside": "plain"})


def without(*names: str) -> dict[str, list[str]]:
    return {name: list(roles) for name, roles in RESILIENT.items() if name not in names}


def haproxy(line: str, section: str = "frontend") -> Design:
    return design(balancer={"virtual_ip": "198.18.0.5", "interface": "pub0", "snippets": {section: line}})


def nginx(line: str) -> Design:
    return design(web={"snippets": {"server": line}})


def mariadb(line: str) -> Design:
    return database(snippet=line)


def edge(**settings: object) -> Design:
    return design(balancer={"virtual_ip": "198.18.0.5", "interface": "pub0", **settings})


def egress(*rules: Mapping[str, object]) -> Design:
    return design(firewall={"admin": ["10.213.0.1/32"], "egress": list(rules)})


def alerting(**settings: object) -> Design:
    return design(monitor={"alerting": settings})


def database(**settings: object) -> Design:
    return design(database=settings)


def app(**settings: object) -> Design:
    return design(app={**APP, **settings})


def waive(rule: str, until: str, **further: str) -> Design:
    entry = {"rule": rule, "reason": "known", "until": until, **further}
    return design(audit={"waive": [entry]}, firewall={"admin": []})


MIRROR = {"to": "10.9.0.0/24", "port": 443, "why": "mirror"}
BESIDE = {"lb1": ["balancer"], "lb2": ["balancer"], "web1": ["web"], "web2": ["web"], "one1": ["app", "database"],
          "app2": ["app"], "db2": ["database"], "monitor1": ["monitor", "witness"]}  # fmt: skip
CERTIFICATE = {"certificate": "./tls/chain.pem", "key": "./tls/key.pem"}
ENV_TWICE = {"A": {"env": "SAME"}, "B": {"env": "SAME"}}

CASES: Mapping[str, tuple[Design, Design]] = {
    "TLS001": (BOARD, GOOD),
    "AVA001": (database(failover="manual"), GOOD),
    "UNI001": (BOARD, GOOD),
    "AVA002": (design(without("lb2")), GOOD),
    "AVA003": (edge(virtual_ip="none", interface=None), GOOD),
    "AVA004": (design(without("web2")), GOOD),
    "AVA005": (design(without("app2")), design(STATIC_SITE, app=FILES)),
    "AVA006": (design(without("db2")), GOOD),
    "AVA007": (design(EVERYTHING_ON_ONE), GOOD),
    "AVA008": (design({**RESILIENT, "monitor1": ["monitor"]}), GOOD),
    "AVA009": (design({**RESILIENT, "app1": ["app", "witness"]}), GOOD),
    "AVA010": (design({**RESILIENT, "db2": ["database", "witness"]}), GOOD),
    "AVA011": (
        design(hosts={"web1": {"place": "rack1"}, "web2": {"place": "rack1"}}),
        design(hosts={"web1": {"place": "rack1"}, "web2": {"place": "rack2"}, "app1": {"place": "rack1"}}),
    ),
    "AVA012": (app(timeout="90s"), app(timeout="50s")),
    "AVA013": (edge(advert_interval="2s"), GOOD),
    "AVA014": (app(processes=64), GOOD),
    "AVA015": (app(processes=1), GOOD),
    "AVA016": (edge(maintenance=True), GOOD),
    "AVA017": (
        design(WHITEBOARD, availability={"target": "99.99%"}),
        design(availability={"target": "99.9%"}),
    ),
    "AVA018": (database(without_standby="block"), GOOD),
    "UNI002": (design({**RESILIENT, "lb1": ["balancer", "app"]}), GOOD),
    "UNI003": (design(BESIDE), GOOD),
    "UNI004": (design({**without("monitor1"), "web2": ["web", "monitor"]}), GOOD),
    "UNI005": (design(system={"stagger_upgrades": False}), GOOD),
    "UNI006": (GOOD, design(STATIC_SITE, app=FILES)),
    "UNI007": (GOOD, design(EVERYTHING_ON_ONE)),
    "TLS002": (BOARD, GOOD),
    "TLS003": (BOARD, GOOD),
    "TLS004": (BOARD, GOOD),
    "TLS005": (design(tls={"hsts": "0s"}), GOOD),
    "TLS006": (design(tls={"hsts": "30d"}), design(tls={"hsts": "0s"})),
    "TLS007": (
        haproxy("ssl-default-bind-options ssl-min-ver TLSv1.0", "global"),
        haproxy("ssl-default-bind-options ssl-min-ver TLSv1.2 # not TLSv1.0", "global"),
    ),
    "TLS008": (nginx("proxy_ssl_verify off;"), nginx("proxy_ssl_verify on;")),
    "TLS009": (nginx("ssl_ciphers HIGH:RC4;"), nginx("ssl_ciphers HIGH:!aNULL:!MD5;")),
    "TLS010": (alerting(webhooks=[{"url": "http://hook.example.com/"}]), alerting(**GOOD_ALERTING)),
    "PKI001": (design(domains=["shop.example.com"]), GOOD),
    "PKI002": (design(tls={"edge": CERTIFICATE}), GOOD),
    "PKI003": (
        design(tls={"edge": {"certificate": "./all.pem", "key": "./all.pem"}}),
        design(tls={"edge": CERTIFICATE}),
    ),
    "NET001": (design(firewall={"admin": []}), GOOD),
    "NET002": (
        design(firewall={"admin": ["80.0.0.0/8"]}),
        design(firewall={"admin": ["10.0.0.0/8", "80.1.2.0/24"]}),
    ),
    "NET003": (design(firewall={"admin": []}), GOOD),
    "NET004": (egress({"port": 8080, "why": "all of it"}), egress({"port": 8080, "why": "app", "roles": ["app"]})),
    "NET005": (GOOD, egress(MIRROR)),
    "NET006": (egress({"port": 21, "why": "files", "roles": ["app"]}), GOOD),
    "NET007": (
        design(without("monitor1"), firewall={"egress": [MIRROR | {"roles": ["witness"]}]}),
        egress(MIRROR | {"roles": ["witness"]}),
    ),
    "NET008": (egress(MIRROR, {"port": 443, "why": "web"}), egress(MIRROR, {"port": 80, "why": "web"})),
    "NET009": (design(hosts={"db1": {"public": "198.18.0.77"}}), GOOD),
    "NET010": (design(hosts={"web1": {"public": "198.18.0.77"}}), design(hosts={"db1": {"public": "198.18.0.77"}})),
    "NET011": (design(hosts={"web1": {"address": "93.184.216.34"}}), GOOD),
    "NET012": (design(firewall={"log_per_minute": 0}), GOOD),
    "DB001": (database(durable=False), GOOD),
    "DB002": (mariadb("skip-grant-tables"), mariadb("# skip-grant-tables")),
    "DB003": (mariadb("local_infile = ON"), mariadb("local_infile = OFF")),
    "DB004": (mariadb("bind-address = 0.0.0.0"), mariadb("bind-address = 127.0.0.1")),
    "DB005": (mariadb("require_secure_transport=0"), mariadb("require_secure_transport=1")),
    "DB006": (mariadb("sync_binlog = 0"), mariadb("sync_binlog = 1\nmax_binlog_size = 1G")),
    "DB007": (mariadb("general_log = 1"), mariadb("slow_query_log = 1")),
    "DB008": (database(max_replica_lag="10m"), GOOD),
    "SEC001": (app(environment={"DATABASE_PASSWORD": "hunter2"}), app(environment={"LOG_LEVEL": "info"})),
    "SEC002": (app(secrets={"KEY": {"generate": 16}}), app(secrets={"KEY": {"generate": 48}})),
    "SEC003": (app(secrets=ENV_TWICE), app(secrets={"A": {"env": "ONE"}, "B": {"env": "OTHER"}})),
    "SEC004": (
        alerting(webhooks=[{"url": "https://hooks.slack.com/services/T/B/x"}]),
        alerting(webhooks=[{"url": "https://alerts.example.com/hook"}]),
    ),
    "SEC005": (haproxy("stats auth admin:hunter2", "defaults"), haproxy("timeout tarpit 5s", "defaults")),
    "SEC006": (app(secrets={"KEY": {"file": "app/key.txt"}}), app(secrets={"KEY": {"file": "secrets/key.txt"}})),
    "SEC007": (
        design(
            web={"static": {"/static/": "./public"}}, tls={"edge": {"certificate": "a.pem", "key": "public/k.pem"}}
        ),
        design(web={"static": {"/static/": "./public"}}, tls={"edge": CERTIFICATE}),
    ),
    "SEC008": (design(web={"static": {"/all/": "."}}), design(web={"static": {"/static/": "./static"}})),
    "SSH001": (design(system={"harden_ssh": False}), GOOD),
    "SSH002": (GOOD, design(ssh={"user": "deploy"})),
    "SVC001": (BOARD, design(WHITEBOARD, app={**APP, "memory_max": "1G"})),
    "SVC002": (app(exclude=["tests"]), GOOD),
    "SVC003": (nginx("location = /status { stub_status; }"), nginx("location = /status { return 204; }")),
    "SVC004": (haproxy("stats socket ipv4@0.0.0.0:9999 level user", "global"), haproxy("# stats admin if TRUE")),
    "SVC005": (nginx("autoindex on;"), nginx("autoindex off;")),
    "SVC006": (nginx("server_tokens on;"), nginx("server_tokens off;")),
    "EDGE001": (edge(rate_limit={"requests": 1_000_000}), GOOD),
    "EDGE002": (edge(rate_limit={"connections": 4000}), GOOD),
    "EDGE003": (edge(rate_limit={"handshakes": 100_000}), GOOD),
    "EDGE004": (edge(timeouts={"request": "5m"}), GOOD),
    "EDGE005": (edge(timeouts={"client": "10m"}), GOOD),
    "EDGE006": (edge(timeouts={"keepalive": "10m"}), GOOD),
    "EDGE007": (design(web={"max_body_size": "20G"}), GOOD),
    "EDGE008": (
        haproxy("http-request set-src req.hdr(X-Forwarded-For)"),
        haproxy("http-request set-header X-Mine %[src]"),
    ),
    "EDGE009": (haproxy("option accept-invalid-http-request"), haproxy("option forwardfor")),
    "EDGE010": (
        nginx("add_header Access-Control-Allow-Origin *;"),
        nginx("add_header Access-Control-Allow-Origin https://shop.test;"),
    ),
    "EDGE011": (
        haproxy("tcp-request connection expect-proxy layer4"),
        haproxy("tcp-request connection expect-proxy layer4 if { src 192.0.2.7 }"),
    ),
    "OPS001": (design(without("monitor1")), GOOD),
    "OPS002": (GOOD, alerting(**GOOD_ALERTING)),
    "OPS003": (
        alerting(webhooks=[{"url": "https://alerts.example.com/", "severities": ["ticket"]}]),
        alerting(webhooks=[{"url": "https://alerts.example.com/"}]),
    ),
    "OPS004": (GOOD, alerting(**GOOD_ALERTING)),
    "OPS005": (design(system={"unattended_upgrades": False}), GOOD),
    "OPS006": (design(system={"time_sync": False}), GOOD),
    "OPS007": (design(monitor={"retention": "1d"}), GOOD),
    "OPS008": (design(monitor={"log_retention": "1d"}), GOOD),
    "OPS009": (design(monitor={"spool": "1M"}), GOOD),
    "OPS010": (design(system={"generations": 2}), GOOD),
    "WAI001": (waive("NET001", "2026-11-19"), waive("NET001", "2026-11-20")),
    "WAI002": (waive("NET001", "2099-01-01"), waive("NET001", "2027-01-01")),
    "WAI003": (waive("NET999", "2027-01-01"), waive("NET001", "2027-01-01")),
    "WAI004": (waive("AVA002", "2027-01-01"), waive("NET001", "2027-01-01")),
}
