"""Rendering: a typed view and a template of the same product give a text.

In: a product's package, a template's name, a frozen view. Out: text that ends with one newline.
Holds: templates decide nothing; an undefined name is an error, never an empty string.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined

_compiled: BytecodeCache | None = None


def use_compiled(cache: BytecodeCache) -> None:
    """Where compiled templates are looked for from now on. Jinja takes none whose source is another."""
    global _compiled
    _compiled = cache
    _environment.cache_clear()


@cache
def _environment(package: str) -> Environment:
    return Environment(
        loader=PackageLoader(package, ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        # The templates of a run do not change; looking whether they did costs a call for each file of each host.
        auto_reload=False,
        bytecode_cache=_compiled,
    )


def render_template(
    package: str, template: str, view: object, *, filters: Mapping[str, Callable[[str], str]] | None = None
) -> str:
    """The template of `package` (a product's dotted name), with `view` as its only name.

    `filters` quote strings for the language that the template writes.
    """
    environment = _environment(package)
    environment.filters.update(filters or {})
    return environment.get_template(template).render(view=view)
