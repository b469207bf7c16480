"""What the model allows at each place: the fields of a section, by the path to it.

In: a path into a spec. Out: the sections (model classes) that may stand there.
Holds: names are those of the YAML file (aliases), never Python's.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from bastide.spec.errors import Keys
from bastide.spec.model import Spec
from bastide.spec.values import Model


def fields_of(section: type[Model]) -> dict[str, FieldInfo]:
    """The fields of a section by the names that YAML uses."""
    return {info.alias or name: info for name, info in section.model_fields.items()}


def find_sections(path: Keys) -> tuple[type[Model], ...]:
    """The section classes that may stand at `path`; none where a plain value stands."""
    kinds: list[Any] = [Spec]
    for part in path:
        kinds = [inner for kind in kinds for inner in _step(kind, part)]
    return tuple(kind for kind in kinds if is_section(kind))


def is_section(kind: object) -> bool:
    """Whether this annotation is a section of the spec."""
    return isinstance(kind, type) and issubclass(kind, Model)


def unwrap(annotation: Any) -> Iterator[Any]:
    """The alternatives of an annotation, without Annotated, Optional and type aliases."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from unwrap(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for inner in get_args(annotation):
            yield from unwrap(inner)
    else:
        yield annotation


def _step(kind: Any, part: str | int) -> Iterator[Any]:
    if is_section(kind):
        info = fields_of(kind).get(str(part))
        if info is not None:
            yield from unwrap(info.annotation)
    elif get_origin(kind) is dict:
        yield from unwrap(get_args(kind)[1])
    elif get_origin(kind) is tuple:
        yield from unwrap(get_args(kind)[0])
