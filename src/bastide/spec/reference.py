"""The reference page: every section and field of a spec, as one annotated YAML file in pieces.

In: the model, its docstrings and its JSON schema; the table of codes. Out: Markdown.
Holds: the YAML of the page, joined, is a spec that loads; values that have no default stand in `_EXAMPLES`.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bastide.spec.codes import CODES
from bastide.spec.model import Spec
from bastide.spec.resolved import inline_yaml
from bastide.spec.review import Availability
from bastide.spec.schema import render_schema, spec_json_schema
from bastide.spec.shape import fields_of, find_sections
from bastide.spec.values import (
    DAY_PATTERN,
    DESTINATION_PATTERN,
    DOMAIN_PATTERN,
    DURATION_PATTERN,
    NAME_PATTERN,
    NETWORK_PATTERN,
    PERCENTAGE_PATTERN,
    RULE_PATTERN,
    SHARE_PATTERN,
    SIZE_PATTERN,
    URL_PATH_PATTERN,
    Model,
)

_EXAMPLES: dict[str, Any] = {
    "name": "shop",
    "domains": ["shop.example.com", "www.shop.example.com"],
    "hosts": ["server1"],
    "hosts.server1.roles": ["balancer", "web", "app", "database"],
    "web.static": {"/static/": "./static"},
    "app.kind": "wsgi",
    "app.entry": "shop:app",
    "app.environment": {"LOG_LEVEL": "info"},
    "app.secrets": ["SECRET_KEY"],
    "app.secrets.SECRET_KEY.generate": 48,
    "database.password.generate": 32,
    "monitor.alerting.email.to": ["operations@shop.example.com"],
    "monitor.alerting.email.sender": "bastide@shop.example.com",
    "monitor.alerting.email.server": "mail.example.com:587",
    "monitor.alerting.email.password.env": "MAIL_PASSWORD",
    "monitor.alerting.slack.url.env": "SLACK_URL",
    "monitor.alerting.slack.channel": "#operations",
    **{
        f"availability.{name}.{key}": value
        for name, repair in Availability().model_dump(mode="json", exclude={"target"}).items()
        for key, value in repair.items()
    },
}
_MORE: dict[str, list[str]] = {
    "hosts": ["  # Another host, in short form.", "  server2: {roles: [database, monitor, witness]}"],
}
_ALTERNATIVES: dict[str, list[str]] = {
    "tls.edge": [
        "# Or your own certificate, by files (paths relative to the spec):",
        "# edge:",
        "#   # PEM file with the certificate and its chain.",
        "#   certificate: ./tls/fullchain.pem",
        "#   # PEM file with the private key.",
        "#   key: ./tls/privkey.pem",
    ],
}
_PATTERN_WORDS = {
    DESTINATION_PATTERN: "anywhere or a network",
    DAY_PATTERN: "a day",
    DOMAIN_PATTERN: "a domain name",
    SHARE_PATTERN: "a percentage, or a whole number from 1",
    DURATION_PATTERN: "a duration",
    NAME_PATTERN: "a name",
    NETWORK_PATTERN: "a network",
    PERCENTAGE_PATTERN: "a percentage",
    RULE_PATTERN: "the id of a rule",
    SIZE_PATTERN: "a size",
    URL_PATH_PATTERN: "a path of a URL",
}
_INTRODUCTION = """\
# Reference of the spec

*This page is generated from the model by `make docs`; edit the docstrings in `src/bastide/spec/` instead.*

A spec is one YAML 1.2 file, `bastide.yaml`. Every field is below: what it means, what it takes, its default.
Only `name`, `domains`, `hosts` and `app.kind` are required. The pieces, joined, are a spec that loads.

- **Durations** carry their unit: `250ms`, `5s`, `2m`, `1h`, `7d`. **Sizes** are bytes with an optional unit:
  `1024`, `16k`, `10M`, `1G` (powers of 1024).
- **Switches** are `true` and `false`; `yes`, `no`, `on` and `off` are text in YAML 1.2, and refused.
- **Paths** are relative to the folder of the spec.
- **Overlays.** With an environment, `bastide.production.yaml` beside the spec is laid over it: mappings merge,
  lists and single values replace, and `null` removes a key, so that its default holds again.
- **Secrets** never stand in a spec: it names where each comes from.
- Anchors, aliases and merge keys (`<<`) work. Duplicate and unknown keys are errors.
- `bastide config` prints your spec with all defaults and where each value comes from.
- Editors complete and check specs by the JSON schema `docs/bastide.schema.json`.
"""


def render_reference() -> str:
    """The page, as Markdown."""
    schema = spec_json_schema()
    parts = [_INTRODUCTION]
    for key, info in fields_of(Spec).items():
        description = (info.description or "").strip()
        body = "\n".join(_field(Spec, key, (), schema, top=True))
        parts.append(f"## `{key}`\n\n{description}\n\n```yaml\n{body}\n```\n")
    parts.append("\n".join(_codes()))
    return "\n".join(parts)


def _codes() -> Iterator[str]:
    yield "## Errors\n"
    yield "Each fault of a spec has a stable code; `bastide explain CODE` prints the same text.\n"
    for code, entry in CODES.items():
        yield f"**{code}: {entry.title}.** {entry.text}\n"


def _field(
    section: type[Model], key: str, path: tuple[str, ...], schema: Any, *, top: bool = False
) -> Iterator[str]:
    info = fields_of(section)[key]
    at = (*path, key)
    spot = ".".join(at)
    form = _definition(section, schema)["properties"][key]
    pad = "  " * len(path)
    if not top:
        yield from _comment(info.description or "", pad)
    inner = find_sections(at)
    if inner and spot not in _ALTERNATIVES:
        yield f"{pad}# {_presence(form, required=info.is_required())}" if not top else f"{key}:"
        if not top:
            yield f"{pad}{key}:"
        yield from _section(inner[0], at, schema)
        return
    value = _EXAMPLES.get(spot, form.get("default", info.get_default(call_default_factory=True)))
    names = value if isinstance(value, list) and _is_map(form) else None
    yield f"{pad}# {_words(form)}; {_presence(form, required=info.is_required())}"
    if names is not None:
        yield f"{pad}{key}:"
        for name in names:
            yield f"{pad}  {name}:"
            yield from _section(find_sections((*at, name))[0], (*at, name), schema)
        yield from _MORE.get(spot, [])
    elif find_sections((*at, "0")):
        items = info.get_default(call_default_factory=True)
        yield f"{pad}{key}:" if items else f"{pad}{key}: []"
        yield from _items(at, items, schema)
    else:
        yield f"{pad}{key}: {inline_yaml(value)}"
        for line in _ALTERNATIVES.get(spot, []):
            yield f"{pad}{line}"


def _section(section: type[Model], path: tuple[str, ...], schema: Any) -> Iterator[str]:
    for index, key in enumerate(fields_of(section)):
        if index and path and len(path) == 1:
            yield ""
        yield from _field(section, key, path, schema)


def _items(path: tuple[str, ...], items: tuple[Model, ...], schema: Any) -> Iterator[str]:
    """A list of sections: the fields told once, then the default entries in short."""
    pad = "  " * len(path)
    section = find_sections((*path, "0"))[0]
    yield f"{pad}# Each entry has:"
    for key, info in fields_of(section).items():
        form = _definition(section, schema)["properties"][key]
        words = f"{_words(form)}; {_presence(form, required=info.is_required())}"
        yield f"{pad}#   {key}: {info.description} ({words})"
    for item in items:
        values = item.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        pairs = ", ".join(f"{key}: {inline_yaml(value)}" for key, value in values.items())
        yield f"{pad}- {{{pairs}}}"


def _comment(text: str, pad: str) -> Iterator[str]:
    for line in textwrap.wrap(text, 100 - len(pad)):
        yield f"{pad}# {line}"


def _definition(section: type[Model], schema: Any) -> Any:
    return schema if section is Spec else schema["$defs"][section.__name__]


def _presence(form: Any, *, required: bool) -> str:
    if required:
        return "required"
    if _optional(form):
        return "optional"
    default = form.get("default")
    return "optional" if default is None or isinstance(default, dict) else f"default: {inline_yaml(default)}"


def _optional(form: Any) -> bool:
    return "null" in [choice.get("type") for choice in form.get("anyOf", ())]


def _is_map(form: Any) -> bool:
    return bool(form.get("type") == "object")


def _words(form: Any) -> str:
    """What a field takes."""
    choices = [choice for choice in form.get("anyOf", form.get("oneOf", ())) if choice.get("type") != "null"]
    if choices and "format" not in choices[-1]:
        return " or ".join(_words(choice) for choice in choices)
    if "$ref" in form:
        return "a mapping"
    if "const" in form:
        return str(form["const"])
    if "enum" in form:
        return f"one of {', '.join(str(choice) for choice in form['enum'])}"
    return _plain_words(form, choices)


def _plain_words(form: Any, choices: list[Any]) -> str:
    if choices:
        words = [str(word) for choice in choices for word in choice.get("enum", ())]
        return f"{', '.join(words)} or an IP address" if words else "an IP address"
    if form.get("pattern") in _PATTERN_WORDS:
        return _PATTERN_WORDS[form["pattern"]]
    if form.get("type") == "array":
        return f"a list, each entry {_words(form['items'])}" if form.get("items") else "a list"
    if form.get("type") == "integer":
        low, high = form.get("minimum"), form.get("maximum")
        bounds = f" from {low} to {high}" if high is not None else f", at least {low}" if low is not None else ""
        return f"a whole number{bounds}"
    return {"string": "text", "boolean": "true or false", "object": "a mapping"}.get(
        form.get("type", ""), "a value"
    )


def write_pages(folder: Path) -> None:
    """Write the generated pages; the only effect of this package, for `make docs`."""
    (folder / "reference.md").write_text(render_reference(), encoding="utf-8")
    (folder / "bastide.schema.json").write_text(render_schema(), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
