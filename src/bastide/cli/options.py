"""Options that every verb takes, in one place.

Out: `Options`, filled by the decorator `with_options`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from bastide.project.opening import Project
    from bastide.project.target import Target


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user said that is common to all verbs."""

    file: Path
    environment: str | None
    target: Literal["auto", "lab", "servers"]
    progress: Literal["auto", "tty", "plain", "quiet"]
    format: Literal["text", "json", "github"] | None = None
    """How faults of the spec are told; None where a verb tells no warnings."""

    def project(self) -> Project:
        """Open the project. Raises SpecInvalid, or SpecRefused where the verb lets the user choose a format."""
        from bastide.project.opening import open_project

        if self.format is None:
            return open_project(self.file, self.environment)
        from bastide.cli.faults import SpecRefused, tell_faults
        from bastide.spec.errors import SpecInvalid

        try:
            project = open_project(self.file, self.environment)
        except SpecInvalid as invalid:
            raise SpecRefused(invalid.errors, self.format) from None
        tell_faults(project.loaded.warnings, self.format, usable=True)
        return project

    def chosen_target(self) -> Target:
        """The machines that the verb acts on. Raises TargetUnclear."""
        from bastide.project.target import choose_target

        return choose_target(self.project(), self.target)


def with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the common options; the function receives them as its first argument."""
    return _with_options(function, "-f", "--file")


def with_format(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--format` and tell warnings too. Stands below `with_options`."""

    @click.option("--format", "format_", type=click.Choice(["text", "json", "github"]), default="text",
                  help="How faults of the spec are told.")  # fmt: skip
    @functools.wraps(function)
    def wrapped(options: Options, format_: Literal["text", "json", "github"], **rest: Any) -> Any:
        return function(replace(options, format=format_), **rest)

    return wrapped


def with_long_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same where `-f` has another meaning too; the verb itself tells them apart."""
    return _with_options(function, "--file")


def _with_options(function: Callable[..., Any], *file_names: str) -> Callable[..., Any]:
    @click.option(*file_names, type=click.Path(path_type=Path), default=Path("bastide.yaml"), show_default=True,
                  help="The spec.")  # fmt: skip
    @click.option("-e", "--env", "environment", metavar="NAME", envvar="BASTIDE_ENV",
                  help="Overlay bastide.NAME.yaml on the spec.")  # fmt: skip
    @click.option("--target", type=click.Choice(["auto", "lab", "servers"]), default="auto", envvar="BASTIDE_TARGET",
                  help="The lab on this computer, or the spec's servers.")  # fmt: skip
    @click.option("--progress", type=click.Choice(["auto", "tty", "plain", "quiet"]), default="auto",
                  envvar="BASTIDE_PROGRESS", help="How progress is shown (on stderr).")  # fmt: skip
    @functools.wraps(function)
    def wrapped(
        file: Path,
        environment: str | None,
        target: Literal["auto", "lab", "servers"],
        progress: Literal["auto", "tty", "plain", "quiet"],
        **rest: Any,
    ) -> Any:
        options = Options(file=file, environment=environment, target=target, progress=progress)
        return function(options, **rest)

    return wrapped


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    import json

    click.echo(json.dumps(document, indent=2, default=str))
