"""Two labs side by side, the same but for the encryption between their hosts: one balancer, web and application each.

In: which variant. Out: a spec on disk (generated, since a path belongs to a lab), its machines raised, commands in them.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from bastide.project.opening import open_project
from bastide.project.target import Target, choose_target
from bastide.transport.endpoint import ssh_argv
from bench.tool import ROOT, bastide

HERE = ROOT / "bench"
URL = "https://bench.test"
HOPS = {"balancer-web": "web1", "web-app": "app1"}
"""Flow between hosts -> the host whose firewall counts its new connections."""
_SPEC = """\
# Written by bench/labs.py.
name: bench-{variant}
domains: [bench.test]
hosts:
  lb1: {{roles: [balancer]}}
  web1: {{roles: [web]}}
  app1: {{roles: [app]}}
tls: {{inside: {inside}}}
balancer:
  rate_limit: {{requests: 1000000000, connections: 100000, handshakes: 1000000}}
web:
  static: {{/static/: {site}/static}}
{snippet}
app:
{app}
"""
_APPS = {
    "free": """\
  kind: command
  path: {site}/app
  command: [sh, serve.sh]
  processes: 1
""",
    "hello": """\
  kind: asgi
  path: {examples}/hello
  entry: main:app
  requirements: requirements.txt
  exclude: [tests, bastide.yaml, .bastide, README.md, pytest.ini, .*]
""",
}
"""An application that costs nothing, so that all of the cost is the way to it; and a real one, ASGI in Python."""
_CLOSING = """\
  snippets:
    # The negative control: every answer ends its connection, as where nobody thought of keeping it.
    server: keepalive_timeout 0;
"""


def spec(variant: str) -> Path:
    """Where the variant's spec stands."""
    return HERE / ".labs" / variant / "bastide.yaml"


def write_spec(variant: str, *, app: str = "free", keep: bool = True) -> None:
    """`mtls` or `plain`; without `keep`, the web server closes each connection after one answer."""
    file = spec(variant)
    file.parent.mkdir(parents=True, exist_ok=True)
    folders = {name: os.path.relpath(ROOT / name, file.parent) for name in ("bench/site", "examples")}
    paths = {"site": folders["bench/site"], "examples": folders["examples"]}
    text = _SPEC.format(
        variant=variant, inside=variant, app=_APPS[app].format(**paths), snippet="" if keep else _CLOSING, **paths
    )
    file.write_text(text)


def bring_up(variant: str) -> None:
    """Raise the lab, or leave it as it is."""
    bastide("up", "-f", str(spec(variant)), "--progress", "quiet")


def apply(variant: str) -> None:
    """Make its hosts what the spec says."""
    bastide("apply", "-f", str(spec(variant)), "--progress", "quiet", "--yes")


def destroy(variant: str) -> None:
    """Remove it."""
    bastide("destroy", "-f", str(spec(variant)), "--progress", "quiet", "--yes")


def run_in(variant: str, host: str, line: str) -> str:
    """Standard output of a line of shell in a machine, as `bastide exec` runs it. Raises CalledProcessError."""
    argv = [*ssh_argv(_target(variant).endpoint(host)), line]
    return subprocess.run(argv, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


@cache
def _target(variant: str) -> Target:
    return choose_target(open_project(spec(variant)), "lab")
