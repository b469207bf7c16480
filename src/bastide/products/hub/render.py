"""The hub on a monitor.

In: HostContext. Out: its program, settings, secrets and unit, and the probe that asks it.
"""

from __future__ import annotations

import json

from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment, Probe, Unit, User
from bastide.products.hub.view import (
    PICTURE,
    PROGRAM,
    SECRETS,
    SETTINGS,
    USER,
    derive_secrets,
    derive_settings,
    draw_whiteboard,
    view_hub,
)
from bastide.products.templates import render_template
from bastide.products.zipapp import build_zipapp

PACKAGE = "bastide.products.hub"
_UNIT = "/etc/systemd/system/bastide-hub.service"


def render(context: HostContext) -> Fragment:
    """The hub of one monitor."""
    unit = render_template(PACKAGE, "bastide-hub.service.j2", view_hub(context)).encode()
    return Fragment(
        product="hub",
        packages=("python3", "python3-starlette", "python3-uvicorn", "python3-zstandard"),
        users=(User(name=USER),),
        files=(
            File(path=PROGRAM, content=build_zipapp("bastide.hub")),
            File(path=SETTINGS, content=_json(derive_settings(context))),
            File(path=PICTURE, content=draw_whiteboard(context)),
            File(path=SECRETS, content=_json(derive_secrets(context)), mode=0o640, group=USER, secret=True),
            File(path=_UNIT, content=unit),
        ),
        units=(Unit(name="bastide-hub.service", restart_on=("/etc/bastide/hub/",)),),
        checks=(Check(name="hub: settings", argv=("/usr/bin/python3", "-I", PROGRAM, "check", SETTINGS)),),
        probes=(
            Probe(
                name="the hub answers",
                argv=("/usr/bin/python3", "-I", PROGRAM, "ready", SETTINGS),
                timeout_s=30.0,
            ),
        ),
    )


def _json(plain: object) -> bytes:
    return json.dumps(plain, indent=1, sort_keys=True).encode() + b"\n"
