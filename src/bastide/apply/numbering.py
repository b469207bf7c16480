"""The number of an apply that does not look at all hosts: every host is asked, so that no two applies share one.

In: the number by the hosts of the run, their conversations, the endpoints of all others. Out: the number.
Holds: an apply of all hosts asks nobody, since it holds them all; a host that does not answer is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from bastide.apply.observe import close_all, on_all
from bastide.transport.endpoint import Endpoint
from bastide.transport.errors import TransportError
from bastide.transport.ssh import Conversation, open_conversation


def agree_on_number(seen: int, ours: Mapping[str, Conversation], others: Sequence[Endpoint]) -> int:
    """The next number, as the last of all hosts that answer gives it."""
    if not others:
        return seen
    places = {endpoint.host: endpoint for endpoint in others}
    opened = on_all(places, lambda host: open_conversation(places[host]))
    answering = {host: talk for host, talk in opened.items() if isinstance(talk, Conversation)}
    number = seen
    try:
        for _, talk in sorted((answering | dict(ours)).items()):
            with suppress(TransportError):
                number = int(talk.request("number", at_least=number)["number"])
    finally:
        close_all(answering.values())
    return number
