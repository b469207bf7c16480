"""Checks of the application: how it is started, what it is handed, and where its secrets come from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bastide.spec.checks.rule import Rule, secret_source
from bastide.spec.errors import Fault
from bastide.spec.model import Spec

_CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\(\))?", re.ASCII)
_FRONT_CONTROLLER = re.compile(r"(?!/)(?!.*(^|/)\.\.(/|$))[\w./-]+\.php", re.ASCII)
_HANDED = ("DATABASE_URL", "DATABASE_URL_READONLY", "PORT")


def _entry(spec: Spec) -> Iterator[Fault]:
    kind, entry = spec.app.kind, spec.app.entry
    forms = {
        "wsgi": (_CALLABLE, "module:callable", "`entry: shop:app` for `app` in shop.py"),
        "asgi": (_CALLABLE, "module:callable", "`entry: shop:app` for `app` in shop.py"),
        "php": (_FRONT_CONTROLLER, "a path of a .php file in the folder", "`entry: public/index.php`"),
    }
    if kind not in forms:
        return
    form, words, example = forms[kind]
    if entry is None:
        message = f"an application of the kind '{kind}' needs an `entry`"
        yield Fault(path=("app", "kind"), code="BST050", message=message, hint=f"add, for instance, {example}")
    elif not form.fullmatch(entry):
        message = f"'{entry}' is not {words}, which the kind '{kind}' needs"
        yield Fault(
            path=("app", "entry"),
            code="BST050",
            message=message,
            hint=f"write, for instance, {example}",
            related=("app", "kind"),
            related_label="decides the form of the entry",
        )


def _command(spec: Spec) -> Iterator[Fault]:
    if spec.app.kind == "command" and not (spec.app.command and spec.app.command[0].strip()):
        message = "an application of the kind 'command' needs a `command`"
        hint = "add, for instance, `command: [./server, --listen, '127.0.0.1:$PORT']`"
        yield Fault(path=("app", "kind"), code="BST051", message=message, hint=hint)


def _migrate(spec: Spec) -> Iterator[Fault]:
    if spec.app.migrate and spec.database is None:
        hint = "add `database: {}` and a host with the role `database`, or remove `migrate`"
        message = "`migrate` is given, but there is no database"
        yield Fault(path=("app", "migrate"), code="BST052", message=message, hint=hint, at="key")


def _handed_variables(spec: Spec) -> Iterator[Fault]:
    for section, names in (("environment", spec.app.environment), ("secrets", spec.app.secrets)):
        for name in names:
            if name in _HANDED:
                message = f"'{name}' is set by Bastide for the application"
                hint = "remove it, or give your variable another name"
                yield Fault(path=("app", section, name), code="BST053", message=message, hint=hint, at="key")


def _variables_once(spec: Spec) -> Iterator[Fault]:
    for name in spec.app.secrets:
        if name in spec.app.environment:
            yield Fault(
                path=("app", "secrets", name),
                code="BST054",
                message=f"'{name}' is both a secret and an ordinary variable",
                hint="keep it in `secrets` if its value must not be read",
                at="key",
                related=("app", "environment", name),
                related_label="also given here",
            )


def _secret_sources(spec: Spec) -> Iterator[Fault]:
    for name, secret in spec.app.secrets.items():
        yield from secret_source(("app", "secrets", name), secret)
    if spec.database is not None:
        yield from secret_source(("database", "password"), spec.database.password)


APPLICATION_RULES = (
    Rule(_entry, reads=(("app", "kind"), ("app", "entry"))),
    Rule(_command, reads=(("app", "kind"), ("app", "command"))),
    Rule(_migrate, reads=(("database",),)),
    Rule(_handed_variables),
    Rule(_variables_once),
    Rule(_secret_sources),
)
