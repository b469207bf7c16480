"""The picture's style without anything that moves or varies, for programs that know no CSS variables.

In: an SVG of `svg.py` in one theme, still. Out: the same with plain colours. Holds: no `var(`, no animation is left;
colours that hang on a flow's kind become one rule for each kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bastide.draw.style import KINDS, Theme, colours_of

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_AT = re.compile(r"@[a-z-]+[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_VARIABLE = re.compile(r"var\(--b-([a-z-]+)\)")
_MOVING = ("--", "transition", "animation")
_LINE = "var(--b-line)"
_PULSE = re.compile(r'<path class="pulse"[^>]*/>\n?')


def flatten_svg(svg: str, theme: Theme) -> str:
    """The picture for converters. `theme` must be that of the SVG, and not `auto`."""
    colours = colours_of(theme)
    style = _STYLE.search(svg)
    if style is None:
        raise ValueError("no style in the picture")
    rules = "\n".join(_flatten(style[1], colours))
    return _PULSE.sub("", svg[: style.start(1)] + rules + svg[style.end(1) :])


def _flatten(css: str, colours: Mapping[str, str]) -> Iterator[str]:
    for selectors, body in _RULE.findall(_AT.sub("", css)):
        declarations = ";".join(d for d in body.split(";") if d.strip() and not d.strip().startswith(_MOVING))
        if not declarations:
            continue
        for selector in selectors.strip().split(","):
            plain = selector.strip().removeprefix(".bastide-picture").strip() or "svg"
            if _LINE not in declarations:
                yield f"{plain}{{{_coloured(declarations, colours)}}}"
                continue
            for kind, colour in KINDS.items():
                body_of_kind = declarations.replace(_LINE, colours[colour])
                yield f".flow.{kind} {plain}{{{_coloured(body_of_kind, colours)}}}"


def _coloured(declarations: str, colours: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: colours[match[1]], declarations)
