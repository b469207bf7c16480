"""Strings of the spec inside nginx's language.

In: any text. Out: a token that nginx reads back as that text.
Holds: what cannot be expressed (a `$` where nginx would look for a variable) is percent-encoded in paths, never
passed through.
"""

from __future__ import annotations

import re
from urllib.parse import quote


def quote_string(text: str) -> str:
    """A quoted token; nginx unescapes only quotes, backslashes and \\t \\r \\n in it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def quote_path(path: str) -> str:
    """A request path (perhaps with a query), for `proxy_pass` and for parameters, where `$` begins a variable."""
    return quote_string(quote(path, safe="/?&=%:@!*+,;~-._"))


def quote_prefix(prefix: str) -> str:
    """A URL prefix for `map`: a regular expression that matches what begins with it."""
    return quote_string("~^" + re.escape(prefix))
