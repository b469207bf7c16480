"""`/metrics`: our own figures and what was pushed, in Prometheus' text format.

In: samples. Out: text. Holds: one TYPE a name, its lines together; label values are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable

from bastide.hub.push import Sample

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def sample(name: str, value: float, kind: str = "gauge", **labels: str) -> Sample:
    """One of our own."""
    return Sample(name=name, labels=tuple(sorted(labels.items())), value=value, type=kind)


def format_metrics(samples: Iterable[Sample]) -> str:
    """The page."""
    by_name: dict[str, list[Sample]] = {}
    for found in samples:
        by_name.setdefault(found.name, []).append(found)
    lines: list[str] = []
    for name, group in sorted(by_name.items()):
        lines.append(f"# TYPE {name} {group[0].type}")
        for found in group:
            labels = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in found.labels)
            lines.append(f"{name}{{{labels}}} {found.value!r}" if labels else f"{name} {found.value!r}")
    return "\n".join(lines) + "\n"
