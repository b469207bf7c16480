"""Picture -> Mermaid, for places that draw it themselves: README files, wikis, pull requests.

In: a picture, a theme. Out: a flowchart with one subgraph a tier. Holds: text of ours alone reaches the syntax; names
stand in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from bastide.draw.model import Picture
from bastide.draw.outline import INTERNET, Group, Link, Node, derive_outline
from bastide.draw.style import colours_of
from bastide.topology.model import Flow

_NAMES: Mapping[str, str] = {"plain": "plain", "tls": "HTTPS", "mtls": "mTLS", "ssh": "SSH"}


def render_mermaid(picture: Picture, *, theme: Literal["light", "dark"]) -> str:
    """The flowchart's text."""
    return "\n".join(_lines(picture, theme)) + "\n"


def _lines(picture: Picture, theme: Literal["light", "dark"]) -> Iterator[str]:
    outline, colours = derive_outline(picture), colours_of(theme)
    base = "dark" if theme == "dark" else "neutral"
    yield f'%%{{init: {{"theme": "{base}", "flowchart": {{"curve": "basis"}}}}}}%%'
    yield "flowchart LR"
    yield f'  {INTERNET}(["internet<br/>{_text(outline.domain)}"]):::cloud'
    for group in outline.groups:
        yield from _group(group)
    plain: list[int] = []
    for index, link in enumerate(outline.links):
        yield f"  {_ident(link.source)} {_arrow(link)}|{_quoted(_label(link))}| {_ident(link.target)}"
        if link.plain:
            plain.append(index)
    if plain:
        yield f"  linkStyle {','.join(str(index) for index in plain)} stroke:{colours['plain']},stroke-width:2px"
    wall = f"fill:{colours['card']},stroke:{colours['brick']},stroke-width:4px,color:{colours['ink']}"
    yield f"  classDef host {wall}"
    yield f"  classDef stack {wall},stroke-dasharray:9 3"
    yield f"  classDef cloud fill:{colours['cloud']},stroke:{colours['tls']},color:{colours['ink']}"


def _group(group: Group) -> Iterator[str]:
    yield f"  subgraph {_ident(group.name)}[{_quoted(group.heading)}]"
    # What works beside each other stands below each other, as in the picture.
    yield "    direction TB"
    for node in group.nodes:
        kind = "stack" if len(node.hosts) > 1 else "host"
        yield f"    {_ident(node.name)}[{_quoted(_words(node))}]:::{kind}"
    yield "  end"


def _words(node: Node) -> str:
    title = f"<b>{_text(node.title)}</b>{' ♛' if node.primary else ''}"
    lines = [title, _text(node.note), _text(", ".join(node.services)), _text(node.virtual_ip)]
    return "<br/>".join(line for line in lines if line)


def _arrow(link: Link) -> str:
    return "-.->" if link.plain else "-->"


def _label(link: Link) -> str:
    return "<br/>".join(_text(flow_label(flow)) for flow in link.flows)


def flow_label(flow: Flow) -> str:
    """`🔒 mTLS 8443`; an open padlock where anybody may read."""
    if flow.protocol == "vrrp":
        return "VRRP"
    lock = "\N{OPEN LOCK}" if flow.encryption == "plain" else "\N{LOCK}"
    return f"{lock} {_NAMES[flow.encryption]} {flow.port}"


def _ident(name: str) -> str:
    """No word of Mermaid's own (`end`, `default`) and no character of its syntax. Names hold no underscore."""
    return name if name == INTERNET else f"n_{name.replace('-', '_')}"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _text(text: str) -> str:
    return re.sub(r'["<>&#;{}|`\\]', lambda match: f"#{ord(match[0])};", text)
