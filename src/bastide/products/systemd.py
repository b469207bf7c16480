"""Strings inside systemd's two languages: unit files and environment files.

In: any text. Out: text that systemd reads back as the same.
Holds: exact for every character but NUL, which neither language can hold (systemd.service(5), systemd.exec(5)).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_UNIT_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        '"': '\\"',
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "%": "%%",
        "$": "$$",
    }
)
_ENVIRONMENT_ESCAPES = str.maketrans({character: f"\\{character}" for character in '"\\`$'})


def format_command(argv: Iterable[str]) -> str:
    """A command line for `ExecStart=` and the like; nothing in it is expanded."""
    return " ".join(f'"{_without_nul(argument).translate(_UNIT_ESCAPES)}"' for argument in argv)


def format_assignment(name: str, value: str) -> str:
    """A value for `Environment=`, where a dollar is an ordinary character."""
    return format_command([f"{name}={value}"]).replace("$$", "$")


def format_environment_file(variables: Mapping[str, str]) -> str:
    """The text of an `EnvironmentFile=`, sorted by name.

    Within double quotes systemd unescapes a quote, a backslash, a backtick and a dollar, and keeps a newline.
    """
    return "".join(
        f'{name}="{_without_nul(value).translate(_ENVIRONMENT_ESCAPES)}"\n'
        for name, value in sorted(variables.items())
    )


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character cannot stand in an environment or a command line")
    return text
