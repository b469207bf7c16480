"""Probes that several products share: what an HTTP listener must answer.

In: an expected status and curl's arguments. Out: the argument list of a `Probe`.
Holds: only exactly that status passes (curl's own `--fail` would let a redirect through); the answer is printed
when it does not, so that the failure says why.
"""

from __future__ import annotations

_SCRIPT = """\
expected=$1; shift
answer=$(curl --silent --show-error --max-time 5 --write-out '\\n%{http_code}' "$@" 2>&1)
status=${answer##*
}
[ "$status" = "$expected" ] || { printf 'expected status %s, got: %s\\n' "$expected" "$answer"; exit 1; }"""


def expect_status(status: int, *curl_arguments: str) -> tuple[str, ...]:
    """Argument list that succeeds when curl, given those arguments, is answered with exactly that status."""
    return ("sh", "-c", _SCRIPT, "expect-status", str(status), *curl_arguments)
