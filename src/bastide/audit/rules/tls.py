"""Rules of encryption: hops in clear text, old protocols, certificates that nobody checks.

In: a Subject. Out: hits. Holds: TLS001, TLS behind the balancer, stands in `famous.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from bastide.audit.rule import Hit, Rule, SetValue, Subject
from bastide.audit.rules.tiers import crosses_hosts, listed
from bastide.audit.snippets import Directive, haproxy_directives, mariadb_settings, nginx_directives
from bastide.spec.errors import dotted
from bastide.spec.parts import CertificateFiles

_MTLS = (SetValue(path=("tls", "inside"), yaml="mtls"),)
_OLD = {"sslv3", "tlsv1", "tlsv1.0", "tlsv1.1"}
_HALF_YEAR_S = 180 * 86400
_LOCAL_SUFFIXES = (".test", ".internal", ".localhost", ".local", ".home.arpa", ".lan")
_HSTS: tuple[str, str] = ("tls", "hsts")


def _plain(subject: Subject, *names: str) -> list[str]:
    return [
        f.name
        for f in subject.topology.flows
        if f.name in names and f.encryption == "plain" and crosses_hosts(subject, f)
    ]


def _sql_in_clear_text(subject: Subject) -> Iterator[Hit]:
    if _plain(subject, "app-database"):
        message = "Application hosts query the database in clear text, its password and every row included"
        yield Hit(element="app-database", message=message, at=("tls", "inside"), edits=_MTLS)


def _replication_in_clear_text(subject: Subject) -> Iterator[Hit]:
    names = _plain(subject, "database-replication", "database-seed")
    if names:
        message = f"Every change, and a whole copy for each new replica, crosses in clear text ({listed(names)})"
        yield Hit(element="database-replication", message=message, at=("tls", "inside"), edits=_MTLS)


def _known_by_address_only(subject: Subject) -> Iterator[Hit]:
    names = _plain(subject, "balancer-web", "web-app", "app-database", "app-database-status", "database-status")
    if names:
        message = f"Listeners tell their peers by source address alone, and servers prove nothing: {listed(names)}"
        yield Hit(element="listeners", message=message, at=("tls", "inside"), edits=_MTLS)


def _no_hsts(subject: Subject) -> Iterator[Hit]:
    if subject.spec.tls.hsts == 0:
        message = (
            "Browsers are not told to use HTTPS only, so a visitor's first request may be caught in clear text"
        )
        yield Hit(element="tls.hsts", message=message, at=_HSTS, edits=(SetValue(path=_HSTS, yaml="730d"),))


def _short_hsts(subject: Subject) -> Iterator[Hit]:
    if 0 < subject.spec.tls.hsts < _HALF_YEAR_S:
        days = subject.spec.tls.hsts / 86400
        message = f"Browsers forget after {days:g} days that this site is HTTPS only"
        yield Hit(element="tls.hsts", message=message, at=_HSTS, edits=(SetValue(path=_HSTS, yaml="730d"),))


def _every_directive(subject: Subject) -> Iterator[Directive]:
    yield from haproxy_directives(subject.spec)
    yield from nginx_directives(subject.spec)
    for _, _, directive in mariadb_settings(subject.spec):
        yield directive


def _old_protocols(subject: Subject) -> Iterator[Hit]:
    for line in _every_directive(subject):
        words = {word.split("=")[-1] for text in line.words for word in text.split(",")}
        named = line.text.lower()
        about = any(word in named for word in ("ssl-min-ver", "ssl_protocols", "tls_version", "force-"))
        forced = {"force-sslv3", "force-tlsv10", "force-tlsv11"} & words
        if forced or (about and words & _OLD):
            yield _hit(line, "lets protocols in that have been broken for years")


def _unverified(subject: Subject) -> Iterator[Hit]:
    for line in _every_directive(subject):
        if (
            line.has("verify", "none")
            or line.has("verify", "optional")
            or line.starts("proxy_ssl_verify", "off")
            or line.starts("ssl_verify_client", "off")
            or line.starts("ssl_verify_client", "optional_no_ca")
        ):
            yield _hit(line, "takes any certificate, or none, for the right one")


def _weak_ciphers(subject: Subject) -> Iterator[Hit]:
    weak = ("rc4", "3des", "des-cbc", "export", "anull", "enull", "md5", "@seclevel=0", "@seclevel=1")
    for line in _every_directive(subject):
        about = "ciphers" in line.words[0]
        allowed = [p for w in line.words[1:] for p in w.split(":") if not p.startswith(("!", "-"))]
        if about and any(name in part for name in weak for part in allowed):
            yield _hit(line, "allows ciphers that can be broken")


def _hit(line: Directive, what: str) -> Hit:
    return Hit(element=dotted(line.at), message=f"`{line.text}` {what}", at=line.at)


def _alerts_in_clear_text(subject: Subject) -> Iterator[Hit]:
    alerting = subject.spec.monitor.alerting
    for index, hook in enumerate(alerting.webhooks):
        if urlsplit(hook.url).scheme == "http":
            yield Hit(
                element=f"monitor.alerting.webhooks.{index}",
                message="Alerts leave in clear text, with names of hosts and what is wrong with them",
                at=("monitor", "alerting", "webhooks", index),
            )
    if alerting.watchdog and urlsplit(alerting.watchdog).scheme == "http":
        yield Hit(
            element="monitor.alerting.watchdog",
            message="The sign of life leaves in clear text, so that anybody on the way can give it in our name",
            at=("monitor", "alerting", "watchdog"),
        )


def _private_authority(subject: Subject) -> Iterator[Hit]:
    public = [domain for domain in subject.spec.domains if not domain.endswith(_LOCAL_SUFFIXES)]
    if public and subject.spec.tls.edge == "internal":
        message = f"{listed(public)} would be served with a certificate of the project's own authority"
        yield Hit(element="tls.edge", message=message, at=("tls", "edge"))


def _renewed_by_hand(subject: Subject) -> Iterator[Hit]:
    if isinstance(subject.spec.tls.edge, CertificateFiles):
        message = "The certificate comes from a file: somebody must put the next one there before it runs out"
        yield Hit(element="tls.edge", message=message, at=("tls", "edge"))


def _key_with_certificate(subject: Subject) -> Iterator[Hit]:
    edge = subject.spec.tls.edge
    if isinstance(edge, CertificateFiles) and edge.certificate == edge.key:
        message = "Certificate and private key are one file, so who is given the one is given the other"
        yield Hit(element="tls.edge.key", message=message, at=("tls", "edge", "key"))


TLS_RULES = (
    Rule(
        id="TLS002",
        title="SQL in clear text",
        severity="high",
        why="What users stored and the password of the database's user pass by everybody on the way.",
        fix="Write `tls: {inside: mtls}`; the application itself needs no TLS setting.",
        check=_sql_in_clear_text,
    ),
    Rule(
        id="TLS003",
        title="Replication in clear text",
        severity="high",
        why="Replication carries the whole database: listening for long enough is as good as a backup.",
        fix="Write `tls: {inside: mtls}`.",
        check=_replication_in_clear_text,
    ),
    Rule(
        id="TLS004",
        title="Peers are known by their address alone",
        severity="medium",
        why=(
            "An address proves nothing: whoever takes over a host's address, or gets onto any host of a tier, is "
            "believed. With mutual TLS a listener accepts only the certificates of the roles that a flow names."
        ),
        fix="Write `tls: {inside: mtls}`.",
        check=_known_by_address_only,
    ),
    Rule(
        id="TLS005",
        title="No HSTS",
        severity="medium",
        why=(
            "A browser that was not told otherwise begins with http://. Somebody in the same network answers that "
            "first request instead of the site, and the visitor never reaches HTTPS."
        ),
        fix="Remove `hsts: 0s`, so that the header is sent.",
        check=_no_hsts,
    ),
    Rule(
        id="TLS006",
        title="HSTS is forgotten too soon",
        severity="low",
        why="A visitor who comes back later than that is unprotected again; below half a year no browser preloads it.",
        fix="Let `tls.hsts` be at least 180d; the default is two years.",
        check=_short_hsts,
    ),
    Rule(
        id="TLS007",
        title="Old protocols",
        severity="high",
        why="SSL 3, TLS 1.0 and 1.1 have known breaks; a client that is pushed down to them can be read.",
        fix="Remove the line from the snippet: the edge speaks TLS 1.2 and 1.3, the inside 1.3.",
        check=_old_protocols,
    ),
    Rule(
        id="TLS008",
        title="A certificate that nobody checks",
        severity="high",
        why="Encryption to an unknown peer is encryption to whoever stands in between.",
        fix="Remove the line from the snippet: every inner hop verifies both sides by itself.",
        check=_unverified,
    ),
    Rule(
        id="TLS009",
        title="Weak ciphers",
        severity="high",
        why="One weak cipher that is offered is one that an attacker can steer a client to.",
        fix="Remove the line from the snippet: the ciphers are Mozilla's intermediate ones.",
        check=_weak_ciphers,
    ),
    Rule(
        id="TLS010",
        title="Alerts in clear text",
        severity="medium",
        why="They tell where the infrastructure is weak right now, to everybody on the way.",
        fix="Use an https:// address.",
        check=_alerts_in_clear_text,
    ),
    Rule(
        id="PKI001",
        title="Public names with a private certificate",
        severity="high",
        why=(
            "Browsers do not know the project's authority: visitors see a warning, and those who click it away have "
            "learned to do so on the day when it is an attacker's."
        ),
        fix="Name a public certificate: `tls: {edge: {certificate: …, key: …}}`.",
        check=_private_authority,
        servers_only=True,
    ),
    Rule(
        id="PKI002",
        title="The certificate is renewed by hand",
        severity="info",
        why=(
            "Certificates of files are as fresh as whoever puts them there. Monitors raise an alert before the end, "
            "and everything inside is renewed by itself; this one is not."
        ),
        fix="Let the program that renews it run `bastide apply` afterwards.",
        check=_renewed_by_hand,
    ),
    Rule(
        id="PKI003",
        title="Certificate and private key in one file",
        severity="medium",
        why="Certificates are public and are handed around; a key that stands in the same file goes with it.",
        fix="Keep them in two files, and only the key secret.",
        check=_key_with_certificate,
    ),
)
