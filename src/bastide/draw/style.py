"""Colours, glyphs and motion of the picture.

In: the theme. Out: CSS, and SVG definitions.
Holds: colour is never the only sign: each state has its own shape, each encryption its own padlock and line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Theme = Literal["light", "dark", "auto"]

_LIGHT: Mapping[str, str] = {
    "paper": "#fbf9f5", "band": "#f2ede4", "band-edge": "#e4dccd", "card": "#ffffff", "card-edge": "#d9d2c5",
    "ink": "#1e2430", "soft": "#646b7a", "chip": "#f1f3f7", "chip-edge": "#d5dae4", "brick": "#b9623e",
    "mortar": "#ecd3c4", "gate": "#fffaf2", "mtls": "#257a4a", "tls": "#2b5fae", "plain": "#b3261e",
    "quiet": "#8b8fa0", "accent": "#2b5fae", "on-accent": "#ffffff", "crown": "#d99a0b", "cloud": "#e6eefa",
    "ok": "#257a4a", "warn": "#a86400", "bad": "#b3261e", "stale": "#7c8090",
}  # fmt: skip
_DARK: Mapping[str, str] = {
    "paper": "#11151c", "band": "#181e28", "band-edge": "#262e3b", "card": "#202835", "card-edge": "#364153",
    "ink": "#e9edf4", "soft": "#a0a9ba", "chip": "#2b3545", "chip-edge": "#3d4960", "brick": "#a65a3c",
    "mortar": "#4a2b20", "gate": "#2a211d", "mtls": "#5fce90", "tls": "#7fb2f8", "plain": "#ff8a7d",
    "quiet": "#78829a", "accent": "#7fb2f8", "on-accent": "#0f1722", "crown": "#f2bd41", "cloud": "#1d2c44",
    "ok": "#5fce90", "warn": "#f2b04b", "bad": "#ff8a7d", "stale": "#8a93a6",
}  # fmt: skip

_RULES = """
.bastide-picture{font-family:Inter,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Liberation Sans","DejaVu Sans",sans-serif}
.bastide-picture text{fill:var(--b-ink)}
.bastide-picture .paper{fill:var(--b-paper)}
.bastide-picture .band{fill:var(--b-band);stroke:var(--b-band-edge)}
.bastide-picture .heading{font-size:11px;font-weight:700;letter-spacing:.04em;fill:var(--b-soft)}
.bastide-picture .card,.bastide-picture .deck{fill:var(--b-card);stroke:var(--b-card-edge)}
.bastide-picture .wall{fill:url(#bastide-bricks);fill-rule:evenodd}
.bastide-picture .brick{fill:var(--b-brick)}.bastide-picture .mortar{stroke:var(--b-mortar);stroke-width:1}
.bastide-picture .name{font-size:14px;font-weight:700}
.bastide-picture .note{font-size:10px;fill:var(--b-soft)}
.bastide-picture .chip rect{fill:var(--b-chip);stroke:var(--b-chip-edge)}
.bastide-picture .chip text{font-size:10.5px}
.bastide-picture .pip{fill:var(--b-chip);stroke:var(--b-chip-edge)}
.bastide-picture .gate rect{fill:var(--b-gate);stroke:var(--b-brick);stroke-width:1.2}
.bastide-picture .gate.open rect{stroke-dasharray:2.5 2}
.bastide-picture .gate text{font-size:8.5px;text-anchor:middle}
.bastide-picture .cloud{fill:var(--b-cloud);stroke:var(--b-tls);stroke-width:1.5}
.bastide-picture .edge{fill:none;stroke:var(--b-line);stroke-width:1.8}
.bastide-picture .edge.standby{stroke-width:1.3;stroke-dasharray:4 4;opacity:.65}
.bastide-picture .edge.faint{stroke-width:1.5;stroke-linejoin:round}
.bastide-picture .flow.mtls{--b-line:var(--b-mtls)}.bastide-picture .flow.tls{--b-line:var(--b-tls)}
.bastide-picture .flow.ssh{--b-line:var(--b-quiet)}.bastide-picture .flow.plain{--b-line:var(--b-plain)}
.bastide-picture .flow.plain .edge.main,.bastide-picture .flow.plain .edge.faint{stroke-dasharray:7 4}
.bastide-picture .flow.vrrp{--b-line:var(--b-quiet)}
.bastide-picture .tip{fill:var(--b-line)}.bastide-picture .tip.standby{opacity:.65}
.bastide-picture .badge rect{fill:var(--b-paper);stroke:var(--b-line)}
.bastide-picture .badge text{font-size:10.5px;font-weight:700;fill:var(--b-line)}
.bastide-picture .badge .lock{stroke:var(--b-line);fill:var(--b-line)}
.bastide-picture .chit rect{fill:var(--b-accent);stroke:var(--b-paper);stroke-width:1.5}
.bastide-picture .chit text{font-size:10.5px;font-weight:700;fill:var(--b-on-accent)}
.bastide-picture .chit{transition:transform .7s cubic-bezier(.3,1.3,.5,1)}
.bastide-picture .crown{fill:var(--b-crown);stroke:var(--b-paper);stroke-width:1.2;stroke-linejoin:round}
.bastide-picture .legend text{font-size:10px;fill:var(--b-soft)}
"""
_STILL = """
.bastide-picture .pulse{fill:none;stroke:var(--b-line);stroke-width:5;stroke-linecap:round;stroke-dasharray:0 44;
animation:bastide-flow 2.6s linear infinite}
@keyframes bastide-flow{from{stroke-dashoffset:44}to{stroke-dashoffset:0}}
@media (prefers-reduced-motion:reduce){.bastide-picture .pulse{animation:none;stroke:none}}
"""
_LIVE = """
.bastide-picture [role=button]{cursor:pointer;outline:none}
.bastide-picture .host:hover>.card,.bastide-picture .host.chosen>.card{stroke:var(--b-accent);stroke-width:2}
.bastide-picture [role=button]:focus-visible>.card{stroke:var(--b-accent);stroke-width:3}
.bastide-picture .badge:hover rect,.bastide-picture .badge:focus-visible rect{stroke-width:2.5}
.bastide-picture .state{--b-mark:var(--b-stale)}
.bastide-picture .ok{--b-mark:var(--b-ok)}.bastide-picture .warn{--b-mark:var(--b-warn)}
.bastide-picture .bad{--b-mark:var(--b-bad)}.bastide-picture .stale,.bastide-picture .unseen{--b-mark:var(--b-stale)}
.bastide-picture .mark{fill:var(--b-mark,var(--b-stale));color:var(--b-card)}
.bastide-picture .host.bad>.card{stroke:var(--b-bad);stroke-width:2.5}
.bastide-picture .host.warn>.card{stroke:var(--b-warn);stroke-width:2}
.bastide-picture .host.stale .wall,.bastide-picture .host.unseen .wall{opacity:.35}
.bastide-picture .host.dead .wall{opacity:.35}
.bastide-picture .host.stale>.card,.bastide-picture .host.unseen>.card,.bastide-picture .host.dead>.card{
stroke-dasharray:5 4}
.bastide-picture .host.stale .chip,.bastide-picture .host.unseen .chip,.bastide-picture .host.dead .chip{opacity:.45}
.bastide-picture .host.stale .name,.bastide-picture .host.unseen .name,.bastide-picture .host.dead .name{
fill:var(--b-soft)}
.bastide-picture .pip.ok{fill:var(--b-ok)}.bastide-picture .pip.warn{fill:var(--b-warn)}
.bastide-picture .pip.bad{fill:var(--b-bad);stroke:var(--b-ink);stroke-width:1.5}
.bastide-picture .pip.stale,.bastide-picture .pip.unseen{fill:none;stroke:var(--b-stale);stroke-dasharray:2 1}
.bastide-picture .edge.idle{opacity:.35}
.bastide-picture .rate{font-size:9.5px;fill:var(--b-soft);text-anchor:middle}
.bastide-picture .dot{fill:var(--b-tls)}.bastide-picture .dot.mtls{fill:var(--b-mtls)}
.bastide-picture .dot.plain{fill:var(--b-plain)}
.bastide-picture .dot.error{fill:var(--b-bad);stroke:var(--b-paper);stroke-width:1}
.bastide-picture .bounced{fill:none;stroke:var(--b-bad);stroke-width:2}
.bastide-picture .lag{font-size:9.5px;text-anchor:middle;fill:var(--b-soft);paint-order:stroke;stroke:var(--b-paper);
stroke-width:4px}
@media (prefers-reduced-motion:reduce){.bastide-picture .chit{transition:none}}
"""

DEFINITIONS = """
<pattern id="bastide-bricks" width="14" height="7" patternUnits="userSpaceOnUse"><rect class="brick" width="14" \
height="7"/><path class="mortar" d="M0 .5H14M0 4H14M3.5 .5V4M10.5 4V7.5"/></pattern>
<g id="bastide-lock-closed"><rect x="1" y="6" width="10" height="7.5" rx="1.6"/>\
<path d="M3.2 6V4a2.8 2.8 0 0 1 5.6 0V6" fill="none" stroke-width="1.6"/></g>
<g id="bastide-lock-open"><rect x="1" y="6" width="10" height="7.5" rx="1.6"/>\
<path d="M3.2 6V3.4a2.8 2.8 0 0 1 5.3-1.2" fill="none" stroke-width="1.6" stroke-linecap="round"/></g>
<path id="bastide-crown" d="M2 19 0 5l7.5 6L14 1l6.500 10L28 5l-2 14z"/>
"""
LIVE_DEFINITIONS = """
<g id="bastide-mark-ok"><circle cx="7" cy="7" r="7"/>\
<path d="M3.6 7.2 6.100 9.600 10.500 4.800" fill="none" stroke="currentColor" stroke-width="1.8"/></g>
<g id="bastide-mark-warn"><path d="M7 0 14.300 13.500H-.3z"/>\
<path d="M7 4.500V9M7 10.300V12" fill="none" stroke="currentColor" stroke-width="1.7"/></g>
<g id="bastide-mark-bad"><path d="M4 0H10L14 4V10L10 14H4L0 10V4z"/>\
<path d="M4 4 10 10M10 4 4 10" fill="none" stroke="currentColor" stroke-width="1.9"/></g>
<g id="bastide-mark-stale"><path fill-rule="evenodd" d="M7 0a7 7 0 1 0 0 14A7 7 0 1 0 7 0zM7 1.700a5.300 5.300 0 1 1 0 \
10.600A5.300 5.300 0 1 1 7 1.700z"/><path d="M6.200 3.500h1.600v3.300l2.300 1.400-.8 1.300L6.200 7.700z"/></g>
<g id="bastide-mark-unseen"><path fill-rule="evenodd" d="M7 0a7 7 0 1 0 0 14A7 7 0 1 0 7 0zM7 1.700a5.300 5.300 0 1 1 0 \
10.600A5.300 5.300 0 1 1 7 1.700z"/><circle cx="7" cy="7" r="1.600"/></g>
"""


KINDS: Mapping[str, str] = {"mtls": "mtls", "tls": "tls", "ssh": "quiet", "plain": "plain", "vrrp": "quiet"}
"""The colour of each kind of flow's lines."""


def colours_of(theme: Theme) -> Mapping[str, str]:
    """The colours of one theme, by name."""
    return _DARK if theme == "dark" else _LIGHT


def render_style(theme: Theme, *, live: bool) -> str:
    """The picture's CSS."""
    rules = _RULES + (_LIVE if live else _STILL)
    if theme == "auto":
        return (
            f".bastide-picture{{{_variables(_LIGHT)}}}\n"
            f"@media (prefers-color-scheme:dark){{.bastide-picture{{{_variables(_DARK)}}}}}\n"
            # A page that embeds the picture may choose for itself.
            f':root[data-theme="light"] .bastide-picture{{{_variables(_LIGHT)}}}\n'
            f':root[data-theme="dark"] .bastide-picture{{{_variables(_DARK)}}}{rules}'
        )
    return f".bastide-picture{{{_variables(_LIGHT if theme == 'light' else _DARK)}}}{rules}"


def _variables(colours: Mapping[str, str]) -> str:
    return ";".join(f"--b-{name}:{value}" for name, value in colours.items())
