"""Rules of secrets: none in the spec, none in what is shipped or served, each used once.

In: a Subject. Out: hits. Holds: a finding never shows the secret; paths are compared as text, no file is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import normpath
from urllib.parse import urlsplit

from bastide.audit.rule import Hit, Rule, SetValue, Subject
from bastide.audit.snippets import haproxy_directives, nginx_directives
from bastide.spec.errors import Keys, dotted
from bastide.spec.parts import CertificateFiles, Secret

_NAMES = re.compile(
    r"(^|_)(SECRET|PASSWORD|PASSWD|PWD|TOKEN|CREDENTIALS?|PRIVATE_KEY|API_?KEY|ACCESS_KEY)(_|$)", re.I
)
_SHAPES = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|^(sk_live_|ghp_|xox[bp]-|AKIA)[A-Za-z0-9_-]{8}")
_SAFE_CHARACTERS = 24
_POSTED = re.compile(r"^https?://(hooks\.slack\.com|discord(app)?\.com/api/webhooks|[^/]*\.webhook\.office\.com)")


def _secrets(subject: Subject) -> Iterator[tuple[Keys, Secret]]:
    for name, secret in subject.spec.app.secrets.items():
        yield ("app", "secrets", name), secret
    if subject.spec.database is not None:
        yield ("database", "password"), subject.spec.database.password
    alerting = subject.spec.monitor.alerting
    if alerting.email and alerting.email.password:
        yield ("monitor", "alerting", "email", "password"), alerting.email.password
    if alerting.slack:
        yield ("monitor", "alerting", "slack", "url"), alerting.slack.url


def _in_the_environment(subject: Subject) -> Iterator[Hit]:
    for name, value in subject.spec.app.environment.items():
        if value and (_NAMES.search(name) or _SHAPES.search(value) or _has_password(value)):
            at = ("app", "environment", name)
            message = f"{name} looks like a secret, and stands in the spec for everybody who reads it"
            yield Hit(element=dotted(at), message=message, at=at)


def _has_password(text: str) -> bool:
    try:
        return urlsplit(text).password is not None
    except ValueError:
        return False


def _short(subject: Subject) -> Iterator[Hit]:
    for at, secret in _secrets(subject):
        if secret.generate is not None and secret.generate < _SAFE_CHARACTERS:
            edits = (SetValue(path=(*at, "generate"), yaml="32"),)
            message = f"{secret.generate} characters are few, and it costs nothing to have more"
            yield Hit(element=dotted(at), message=message, at=(*at, "generate"), edits=edits)


def _shared(subject: Subject) -> Iterator[Hit]:
    seen: dict[tuple[str, str], Keys] = {}
    for at, secret in _secrets(subject):
        source = ("file", normpath(secret.file)) if secret.file else ("env", secret.env) if secret.env else None
        if source is None or source[1] is None:
            continue
        first = seen.setdefault((source[0], source[1]), at)
        if first != at:
            message = f"It is the same secret as {dotted(first)}: who learns the one has the other"
            yield Hit(element=dotted(at), message=message, at=at)


def _in_an_address(subject: Subject) -> Iterator[Hit]:
    alerting = subject.spec.monitor.alerting
    urls: list[tuple[Keys, str]] = [
        (("monitor", "alerting", "webhooks", i), hook.url) for i, hook in enumerate(alerting.webhooks)
    ]
    if alerting.watchdog:
        urls.append((("monitor", "alerting", "watchdog"), alerting.watchdog))
    for at, url in urls:
        if _has_password(url) or _POSTED.match(url):
            message = "The address holds a secret: whoever reads the spec can write there in our name"
            yield Hit(element=dotted(at), message=message, at=at)


def _in_a_snippet(subject: Subject) -> Iterator[Hit]:
    for line in (*haproxy_directives(subject.spec), *nginx_directives(subject.spec)):
        if line.has("insecure-password") or line.starts("stats", "auth") or _has_bearer(line.text):
            at = dotted(line.at)
            yield Hit(element=at, message=f"`{line.words[0]} …` holds a password in clear text", at=line.at)


def _has_bearer(text: str) -> bool:
    return bool(re.search(r"authorization[\"'\s:]+(basic|bearer)\s+[A-Za-z0-9+/=_.-]{8}", text, re.I))


def _shipped(subject: Subject) -> Iterator[Hit]:
    code = subject.spec.app.path
    for at, secret in _secrets(subject):
        if secret.file and subject.has_app and _inside(secret.file, code):
            message = f"Its file lies in {code}, so it is shipped to every application host with the code"
            yield Hit(element=dotted(at), message=message, at=(*at, "file"))


def _served(subject: Subject) -> Iterator[Hit]:
    folders = dict(subject.spec.web.static)
    if subject.spec.app.kind == "static":
        folders["/"] = subject.spec.app.path
    files: list[tuple[Keys, str]] = [((*at, "file"), s.file) for at, s in _secrets(subject) if s.file]
    if isinstance(subject.spec.tls.edge, CertificateFiles):
        files.append((("tls", "edge", "key"), subject.spec.tls.edge.key))
    for prefix, folder in folders.items():
        for at, file in files:
            if _inside(file, folder):
                message = f"Its file lies in {folder}, which anybody can fetch below {prefix}"
                yield Hit(element=dotted(at), message=message, at=at)


def _serves_code(subject: Subject) -> Iterator[Hit]:
    if not subject.has_app:
        return
    for prefix, folder in subject.spec.web.static.items():
        if _inside(subject.spec.app.path, folder):
            message = (
                f"{prefix} serves {folder}, and with it the code of the application in {subject.spec.app.path}"
            )
            at: Keys = ("web", "static", prefix)
            yield Hit(element=f"web.static.{prefix}", message=message, at=at)


def _inside(path: str, folder: str) -> bool:
    inner, outer = normpath(path), normpath(folder)
    if inner.startswith("/") != outer.startswith("/"):
        return False
    return inner == outer or (outer == "." and not inner.startswith("..")) or inner.startswith(f"{outer}/")


SECRET_RULES = (
    Rule(
        id="SEC001",
        title="A secret stands in the spec",
        severity="high",
        why="The spec is read by many, kept in version control for ever, and shown by `bastide config`.",
        fix="Move it to `app.secrets` as `{env: NAME}`, `{file: PATH}` or `{generate: 32}`, and change its value.",
        check=_in_the_environment,
    ),
    Rule(
        id="SEC002",
        title="A short secret",
        severity="low",
        why="A generated secret is never typed, so its length costs nothing; a short one can be guessed offline.",
        fix="Write `generate: 32` or more, after removing the old value from the project's state.",
        check=_short,
    ),
    Rule(
        id="SEC003",
        title="One secret for two purposes",
        severity="medium",
        why="The place that keeps it worse decides how safe the other is, and neither can be changed alone.",
        fix="Give each its own source.",
        check=_shared,
    ),
    Rule(
        id="SEC004",
        title="An address that holds a secret",
        severity="medium",
        why="Chat webhooks and URLs with a password are keys: whoever reads the spec can send what looks like ours.",
        fix="Use `slack: {url: {env: …}}`, or a receiver without a secret in its address.",
        check=_in_an_address,
    ),
    Rule(
        id="SEC005",
        title="A password in a snippet",
        severity="high",
        why="Snippets stand in the spec and in configuration files in clear text.",
        fix="Protect the place by the wall or by client certificates instead.",
        check=_in_a_snippet,
    ),
    Rule(
        id="SEC006",
        title="A secret is shipped with the code",
        severity="high",
        why="Releases lie unpacked on every application host, and older ones stay for rollback.",
        fix="Keep the file outside `app.path`, or exclude it.",
        check=_shipped,
    ),
    Rule(
        id="SEC007",
        title="A secret lies in a folder that is served",
        severity="critical",
        why="Its address can be guessed, and scanners guess it within hours.",
        fix="Move the file out of the served folder, and change the secret: take it for known.",
        check=_served,
    ),
    Rule(
        id="SEC008",
        title="The code is served as files",
        severity="high",
        why="Anybody reads the application's source, and what was left in it.",
        fix="Serve a folder that holds nothing but files for visitors.",
        check=_serves_code,
    ),
)
