"""Every failure becomes one message: what, which host, why (last log lines), what to do next.

In: an exception that reached the edge. Out: text on stderr and the exit code.
"""

from __future__ import annotations

import os
import traceback

from rich.console import Console


def report_failure(error: Exception) -> int:
    """Print it; 2 for a bad spec or bad usage, 1 for everything else."""
    from bastide.cli.faults import SpecRefused, tell_faults
    from bastide.drill.targets import UnknownTarget
    from bastide.explain.find import UnknownElement
    from bastide.project.planfile import NoSavedPlan
    from bastide.project.target import TargetUnclear
    from bastide.spec.errors import SpecInvalid
    from bastide.topology.resolve import UnresolvedAddress
    from bastide.verify.run import UnknownCheck

    console = Console(stderr=True, highlight=False)
    if isinstance(error, SpecInvalid | SpecRefused):
        tell_faults(error.errors, error.format if isinstance(error, SpecRefused) else "text", usable=False)
        return 2
    if os.environ.get("BASTIDE_DEBUG"):
        traceback.print_exception(error)
    hint = str(getattr(error, "hint", ""))
    known = hint or hasattr(error, "hint")
    console.print(f"[bold red]error:[/] {_escaped(str(error) or type(error).__name__)}", soft_wrap=True)
    for line in _lines(error):
        console.print(f"  │ {line}", markup=False, soft_wrap=True)
    if hint:
        console.print(f"[bold]next:[/] {_escaped(hint)}", soft_wrap=True)
    if not known:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} in {frame.filename}:{frame.lineno}"
        console.print(
            f"This is a fault of bastide ({where}); BASTIDE_DEBUG=1 shows more.", markup=False, soft_wrap=True
        )
    wrong_words = TargetUnclear | UnresolvedAddress | UnknownElement | UnknownCheck | UnknownTarget | NoSavedPlan
    return 2 if isinstance(error, wrong_words) else 1


def _lines(error: Exception) -> list[str]:
    lines = list(getattr(error, "lines", ()))
    for machine, log in getattr(error, "logs", {}).items():
        lines += [f"{machine}: {line}" for line in str(log).splitlines()]
    return lines


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")
