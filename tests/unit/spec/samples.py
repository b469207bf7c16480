"""Small specs for tests."""

from __future__ import annotations

from pathlib import Path

from bastide.spec.load import LoadedSpec, load_spec

SMALL = """\
name: shop
domains: [shop.test]
hosts:
  lb1: {roles: [balancer]}
  web1: {roles: [web, app]}
app:
  kind: wsgi
  entry: shop:app
"""


def load_text(folder: Path, text: str, **overlays: str) -> LoadedSpec:
    """Load a spec of this text; each overlay is written beside it, and the last one is laid over it."""
    file = folder / "bastide.yaml"
    file.write_text(text, encoding="utf-8")
    environment = None
    for environment, overlay in overlays.items():
        (folder / f"bastide.{environment}.yaml").write_text(overlay, encoding="utf-8")
    return load_spec(file, environment=environment, check_files=False)
