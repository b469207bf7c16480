"""Value types of the spec: what a YAML scalar means, with its unit in the type.

In: strings and numbers as a user writes them (`5s`, `10M`, `10.0.0.0/8`). Out: plain numbers in base units,
addresses, networks, checked names.
Holds: every value that leaves here is in seconds or bytes; nothing downstream parses a unit again. Each type is
refused in one way, with its own code and hint (`BadValue`), even where it allows several forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


class Model(BaseModel):
    """Base of every part of the spec: frozen, and an unknown key is an error rather than a silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BadValue(ValueError):
    """A value that cannot be used, with the code of the fault and what to write instead."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        self.code = code
        self.message = message
        self.hint = hint
        super().__init__(f"{message}; {hint}")


DURATION_PATTERN = r"^\d+(\.\d+)?(ms|s|m|h|d)$"
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZE_PATTERN = r"^\d+[kKmMgG]?$"
_SIZE = re.compile(r"(\d{1,15})([kKmMgG]?)", re.ASCII)
PERCENTAGE_PATTERN = r"^\d{1,2}(\.\d{1,9})?%$"
_PERCENTAGE = re.compile(r"(\d{1,2}(?:\.\d{1,9})?)%", re.ASCII)
DAY_PATTERN = r"^\d{4}-\d{2}-\d{2}$"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SIZE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def parse_duration(value: object) -> float:
    """Seconds, from `250ms`, `5s`, `2m`, `1h` or `7d`; a float is seconds already. Raises BadValue."""
    if isinstance(value, float):
        return value
    match = _DURATION.fullmatch(str(value))
    if not match or isinstance(value, bool):
        bare = isinstance(value, int) and not isinstance(value, bool)
        hint = (
            f"write its unit: {value}s or {value}ms" if bare else "write it with its unit: 250ms, 5s, 2m, 1h or 7d"
        )
        raise BadValue("BST022", f"{_shown(value)} is not a duration", hint)
    return float(match[1]) * _DURATION_UNITS[match[2]]


def format_duration(seconds: float) -> str:
    """`90s`, `2m`, `250ms`: the shortest whole number with a unit that says exactly this."""
    milliseconds = round(seconds * 1000, 6)
    if milliseconds == 0:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        count = milliseconds / (_DURATION_UNITS[unit] * 1000)
        if count == int(count):
            return f"{int(count)}{unit}"
    return f"{int(milliseconds)}ms" if milliseconds == int(milliseconds) else f"{milliseconds:f}".rstrip("0") + "ms"


SHARE_PATTERN = r"^\d{1,3}%$"
_SHARE = re.compile(r"(\d{1,3})%", re.ASCII)


def parse_share(value: object) -> float | int:
    """A part of a whole from `25%`, as a float up to 1.0; or a number of things, as an int. Raises BadValue."""
    if isinstance(value, float) and 0 < value <= 1:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if not match or not 1 <= int(match[1]) <= 100:
        raise BadValue(
            "BST017", f"{_shown(value)} is no share", "write a percentage from 1% to 100%, or a whole number from 1"
        )
    return int(match[1]) / 100


def format_share(share: float | int) -> str | int:
    """`25%`, or the number."""
    return f"{round(share * 100)}%" if isinstance(share, float) else share


def parse_size(value: object) -> int:
    """Bytes, from `1024`, `16k`, `10M` or `1G` (powers of 1024). Raises BadValue."""
    match = _SIZE.fullmatch(str(value))
    if not match or isinstance(value, bool):
        hint = "write a whole number with an optional unit: 1024, 16k, 10M or 1G"
        raise BadValue("BST023", f"{_shown(value)} is not a size", hint)
    return int(match[1]) * _SIZE_UNITS[match[2].lower()]


def format_size(size: int) -> str:
    """`10M`, `16k`, `1000`: the largest unit that says exactly this."""
    for unit in ("g", "m", "k"):
        if size and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{'k' if unit == 'k' else unit.upper()}"
    return str(size)


def parse_address(value: object) -> IPAddress:
    """An IPv4 or IPv6 address. Raises BadValue."""
    if isinstance(value, IPv4Address | IPv6Address):
        return value
    try:
        if isinstance(value, str):
            address = ip_address(value)
            if not (isinstance(address, IPv6Address) and address.scope_id):
                return address
    except ValueError:
        pass
    raise BadValue(
        "BST024", f"{_shown(value)} is not an IP address", "write one such as 192.0.2.10 or 2001:db8::10"
    )


def parse_network(value: object) -> IPNetwork:
    """An IPv4 or IPv6 network; a bare address is the network of itself. Raises BadValue."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    hint = "write one such as 192.0.2.0/24, or one address"
    try:
        if isinstance(value, str):
            return ip_network(value)
    except ValueError:
        try:
            hint = f"write {ip_network(str(value), strict=False)} for the network, or the address without its '/…'"
            raise BadValue("BST025", f"{_shown(value)} is an address inside a network", hint) from None
        except BadValue:
            raise
        except ValueError:
            hint = "write one such as 192.0.2.0/24, or one address"
    raise BadValue("BST025", f"{_shown(value)} is not a network", hint)


def _parse_virtual_ip(value: object) -> object:
    if value in ("auto", "none"):
        return value
    try:
        return parse_address(value)
    except BadValue as bad:
        raise BadValue(bad.code, bad.message, "write auto, none, or an address such as 192.0.2.10") from None


def _parse_destination(value: object) -> object:
    if value == "anywhere":
        return value
    try:
        return parse_network(value)
    except BadValue as bad:
        raise BadValue(bad.code, bad.message, f"write anywhere, or {bad.hint.removeprefix('write ')}") from None


_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN_PATTERN = rf"^({_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?$"


def _matching(pattern: str, code: str, what: str, hint: str, *, longest: int = 4096) -> Callable[[str], str]:
    """A validator that refuses text not of this form, in words rather than by a pattern."""
    compiled = re.compile(pattern.removesuffix("$"), re.ASCII)

    def check(value: str) -> str:
        if len(value) > longest or not compiled.fullmatch(value):
            raise BadValue(code, f"{_shown(value)} is not {what}", hint)
        return value

    return check


def parse_percentage(value: object) -> float:
    """A share from 0 to 1, from `99.95%`; a float is a share already. Raises BadValue."""
    if isinstance(value, float):
        return value
    match = _PERCENTAGE.fullmatch(str(value))
    if not match or not 0 < float(match[1]) < 100:
        raise BadValue("BST091", f"{_shown(value)} is not a percentage", "write one such as 99.95%, below 100%")
    return float(match[1]) / 100


def _format_percentage(share: float) -> str:
    return f"{round(share * 100, 9):.9f}".rstrip("0").rstrip(".") + "%"


def _check_day(value: str) -> str:
    try:
        if not _DAY.fullmatch(value):
            raise ValueError
        date.fromisoformat(value)
    except ValueError:
        raise BadValue("BST090", f"{_shown(value)} is not a day", "write it as 2027-03-31") from None
    return value


def _check_port(value: int) -> int:
    if not 1 <= value <= 65535:
        raise BadValue("BST026", f"{value} is not a port", "a port is a number from 1 to 65535")
    return value


def _shown(value: object) -> str:
    """A value for a message: short, and as YAML would write it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    text = str(value)
    if isinstance(value, int) and len(text) <= 20:
        return text
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"


NAME_PATTERN = r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$"
NAME_HINT = "use lower-case letters, digits and dashes, beginning with a letter; at most 32"
_ENVIRONMENT_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
_DATABASE_NAME = r"^[a-z][a-z0-9_]{0,47}$"
_DATABASE_USER = r"^[a-z][a-z0-9_]{0,31}$"
_DATABASE_WORDS = "a name that MariaDB and its tools take unquoted"
_DATABASE_HINT = "use lower-case letters, digits and underscores, beginning with a letter"
URL_PATH_PATTERN = r"^/[!-~]*$"

NETWORK_PATTERN = r"^[0-9a-fA-F.:]+(/[0-9]{1,3})?$"
DESTINATION_PATTERN = r"^(anywhere|[0-9a-fA-F.:]+(/[0-9]{1,3})?)$"

RULE_PATTERN = r"^[A-Z]{2,5}[0-9]{3}$"
_LINE = r"^[^\x00-\x1f\x7f\x85\u2028\u2029]*$"
_LOGIN = r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}$"
_MACHINE = r"^[A-Za-z0-9:][A-Za-z0-9.:_-]{0,252}$"
_JUMP = (
    r"^([A-Za-z_][A-Za-z0-9_.-]{0,31}@)?([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?$"
)
_INTERFACE = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$"

Count = Annotated[int, Strict()]
"""A whole number; text and true/false are refused."""
Switch = Annotated[bool, Strict()]
"""true or false; YAML 1.2 knows no yes, no, on and off."""
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
"""A span of time; seconds as float once loaded."""
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str, when_used="json"),
    WithJsonSchema({"type": ["string", "integer"], "pattern": SIZE_PATTERN, "minimum": 0}),
]
"""An amount of bytes; int once loaded."""
Share = Annotated[
    float | int,
    BeforeValidator(parse_share),
    PlainSerializer(format_share, return_type=str | int, when_used="json"),
    WithJsonSchema({"type": ["string", "integer"], "pattern": SHARE_PATTERN, "minimum": 1}),
]
"""A percentage (float up to 1.0 once loaded), or a number of things (int)."""
Address = Annotated[
    IPAddress,
    BeforeValidator(parse_address),
    WithJsonSchema({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}),
]
"""An IPv4 or IPv6 address, as a field."""
Network = Annotated[
    IPNetwork,
    BeforeValidator(parse_network),
    WithJsonSchema({"type": "string", "pattern": NETWORK_PATTERN}),
]
"""An IPv4 or IPv6 network, as a field."""
VirtualIP = Annotated[
    Literal["auto", "none"] | IPAddress,
    BeforeValidator(_parse_virtual_ip),
    WithJsonSchema(
        {"type": "string", "anyOf": [{"enum": ["auto", "none"]}, {"format": "ipv4"}, {"format": "ipv6"}]}
    ),
]
"""auto, none, or an address."""
Destination = Annotated[
    IPNetwork | Literal["anywhere"],
    BeforeValidator(_parse_destination),
    WithJsonSchema({"type": "string", "pattern": DESTINATION_PATTERN}),
]
"""anywhere, or a network."""
Name = Annotated[
    str,
    AfterValidator(_matching(NAME_PATTERN, "BST020", "a name", NAME_HINT)),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN}),
]
"""A short name of a project or host: lower-case letters, digits and dashes, beginning with a letter."""
DomainName = Annotated[
    str,
    AfterValidator(
        _matching(
            DOMAIN_PATTERN,
            "BST021",
            "a domain name",
            "write a full name in lower case, such as www.example.com",
            longest=253,
        )
    ),
    WithJsonSchema({"type": "string", "pattern": DOMAIN_PATTERN, "maxLength": 253}),
]
"""A fully qualified domain name in lower case."""
EnvironmentName = Annotated[
    str,
    AfterValidator(
        _matching(
            _ENVIRONMENT_NAME,
            "BST027",
            "a name of an environment variable",
            "use letters, digits and underscores, not beginning with a digit",
        )
    ),
    WithJsonSchema({"type": "string", "pattern": _ENVIRONMENT_NAME}),
]
"""A name of an environment variable."""
DatabaseName = Annotated[
    str,
    AfterValidator(_matching(_DATABASE_NAME, "BST028", _DATABASE_WORDS, f"{_DATABASE_HINT}; at most 48")),
    WithJsonSchema({"type": "string", "pattern": _DATABASE_NAME}),
]
"""A name of a database."""
DatabaseUser = Annotated[
    str,
    AfterValidator(_matching(_DATABASE_USER, "BST028", _DATABASE_WORDS, f"{_DATABASE_HINT}; at most 32")),
    WithJsonSchema({"type": "string", "pattern": _DATABASE_USER}),
]
"""A name of a database user."""
UrlPath = Annotated[
    str,
    AfterValidator(_matching(URL_PATH_PATTERN, "BST029", "a path of a URL", "begin it with '/', such as /healthz")),
    WithJsonSchema({"type": "string", "pattern": URL_PATH_PATTERN}),
]
"""The path part of a URL."""
Line = Annotated[
    str,
    AfterValidator(
        _matching(_LINE, "BST017", "one line of text", "write it on one line, without control characters")
    ),
]
"""Text that fits into one line of a file."""
LoginName = Annotated[
    str,
    AfterValidator(_matching(_LOGIN, "BST017", "a login name", "write it as `id -un` prints it on the host")),
    WithJsonSchema({"type": "string", "pattern": _LOGIN}),
]
"""A user's name on a host."""
MachineName = Annotated[
    str,
    AfterValidator(
        _matching(_MACHINE, "BST017", "an address or a name of a machine", "write an IP address, or a name in DNS")
    ),
    WithJsonSchema({"type": "string", "pattern": _MACHINE}),
]
"""An address, or a name that resolves to one."""
Jump = Annotated[
    str,
    AfterValidator(
        _matching(
            _JUMP,
            "BST017",
            "a machine to jump over",
            "write a host's name, or user@address:port, [address]:port for IPv6",
        )
    ),
    WithJsonSchema({"type": "string", "pattern": _JUMP}),
]
"""A host of the spec, or `user@address:port`."""
InterfaceName = Annotated[
    str,
    AfterValidator(
        _matching(
            _INTERFACE,
            "BST017",
            "a name of a network interface",
            "write it as `ip -brief address` shows it, such as eth0",
        )
    ),
    WithJsonSchema({"type": "string", "pattern": _INTERFACE}),
]
"""A network interface of Linux."""
Port = Annotated[
    int,
    Strict(),
    AfterValidator(_check_port),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 65535}),
]
"""A TCP or UDP port, 1 to 65535."""
Percentage = Annotated[
    float,
    BeforeValidator(parse_percentage),
    PlainSerializer(_format_percentage, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": PERCENTAGE_PATTERN}),
]
"""A share; from 0 to 1 once loaded."""
Day = Annotated[str, AfterValidator(_check_day), WithJsonSchema({"type": "string", "pattern": DAY_PATTERN})]
"""A day, as 2027-03-31; text of this form sorts as the days do."""
RuleId = Annotated[
    str,
    AfterValidator(
        _matching(RULE_PATTERN, "BST092", "a rule's id", "write one as audit prints it, such as AVA002")
    ),
    WithJsonSchema({"type": "string", "pattern": RULE_PATTERN}),
]
"""The id of a rule of audit."""
