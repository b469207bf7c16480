"""The values of secrets: made once and kept, read from the user's file, or taken from the environment.

In: references by name. Out: values by name, or SecretsMissing with every one that could not be had.
Holds: a generated value stays what it is until its file is removed; no value is ever in a `repr` or a message.
"""

from __future__ import annotations

import os
import secrets
import string
from collections.abc import Iterator, Mapping
from pathlib import Path

from bastide.pki.errors import MissingSecret, SecretsMissing
from bastide.pki.storage import locked, read_file, write_file
from bastide.spec.parts import Secret

_ALPHABET = string.ascii_letters + string.digits
"""Nothing that a shell, an SQL string, a URL or a configuration file would read as syntax."""


class SecretValues(Mapping[str, str]):
    """Secrets by name, whose `repr` shows names alone."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"SecretValues({', '.join(self._values)})"


class _Unavailable(Exception):
    """Why one secret cannot be had."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem = problem
        self.hint = hint
        super().__init__(problem)


def ensure_secrets(
    directory: Path, wanted: Mapping[str, Secret], base: Path, environ: Mapping[str, str]
) -> Mapping[str, str]:
    """Every wanted secret. `directory` keeps the generated ones; `base` is the folder of the spec."""
    values: dict[str, str] = {}
    missing: list[MissingSecret] = []
    with locked(directory):
        for name, secret in wanted.items():
            try:
                values[name] = _value(directory / name, secret, base, environ)
            except _Unavailable as error:
                missing.append(MissingSecret(name=name, problem=error.problem, hint=error.hint))
    if missing:
        raise SecretsMissing(tuple(missing))
    return SecretValues(values)


def _value(path: Path, secret: Secret, base: Path, environ: Mapping[str, str]) -> str:
    if secret.generate is not None:
        return _generated(path, secret.generate)
    if secret.file is not None:
        return _from_file(base / secret.file)
    if secret.env is not None:
        return _from_environment(secret.env, environ)
    raise _Unavailable("the spec names no source", "write one of generate, file or env")


def _generated(path: Path, length: int) -> str:
    kept = read_file(path)
    if kept is None:
        value = "".join(secrets.choice(_ALPHABET) for _ in range(length))
        write_file(path, value)
        return value
    value = kept.removesuffix("\n")
    # Replacing it unasked could lock out a database or make what an application encrypted unreadable.
    if len(value) != length:
        raise _Unavailable(
            f"{path} holds {len(value)} characters, and the spec asks for {length}",
            "restore the file or the spec, or remove the file to have a new secret made",
        )
    return value


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            # The open file is judged, not the path: a path may lead elsewhere by the time it is read.
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except OSError as error:
        raise _Unavailable(
            f"cannot read {path}: {error.strerror}", "write the secret into that file, mode 0600"
        ) from error
    if mode & 0o004:
        raise _Unavailable(f"everybody on this machine can read {path}", f"chmod 600 {path}")
    try:
        value = content.decode()
    except UnicodeDecodeError:
        raise _Unavailable(f"{path} is not UTF-8 text", "encode the secret, for instance by base64") from None
    value = value[:-2] if value.endswith("\r\n") else value.removesuffix("\n")
    if not value:
        raise _Unavailable(f"{path} is empty", "write the secret into that file, mode 0600")
    if "\0" in value:
        raise _Unavailable(f"{path} holds a NUL character", "encode the secret, for instance by base64")
    return value


def _from_environment(variable: str, environ: Mapping[str, str]) -> str:
    if value := environ.get(variable):
        return value
    problem = "is empty" if variable in environ else "is not set"
    raise _Unavailable(f"the environment variable {variable} {problem}", "set it in the shell that runs this")
