"""What can be asked of a host: names and functions."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

Say = Callable[["dict[str, Any]"], None]


def answer(request: "Mapping[str, Any]", say: Say) -> Any:
    """Do what is asked. Raises KeyError for what there is not."""
    operation = request["op"]
    if operation in LASTING:
        return find(LASTING[operation])(request, say)
    return find(QUICK[operation])(request)


def find(name: str) -> Callable[..., Any]:
    """The function. Only now: to read all modules takes a host a tenth of a second, and most askers ask one thing."""
    module, _, function = name.partition(".")
    found: Callable[..., Any] = getattr(import_module(f"bastide.prober.{module}"), function)
    return found


LASTING = {
    "arrivals": "arrivals.count_arrivals",
    "capture": "capture.capture",
    "visits": "visits.visit",
    "crowd": "crowd.crowd",
    "watch_boot": "booting.watch_boot",
}
"""Operations that say more than their result: MODULE.FUNCTION, called with the question and `say`."""
QUICK = {
    "alerts": "monitor.list_alerts",
    "hub": "monitor.ask_hub",
    "provoke": "monitor.provoke_alert",
    "requests": "monitor.count_requests",
    "addresses": "routes.list_addresses",
    "boot_times": "booting.boot_times",
    "canaries": "canaries.send_canaries",
    "collect": "recording.collect",
    "certificate_of": "renewal.certificate_of",
    "control": "control.try_control",
    "counters": "wall.counters",
    "datagrams": "datagrams.send_datagrams",
    "egress": "egress.try_egress",
    "exposures": "units.exposures",
    "forget": "recording.forget",
    "handshakes": "handshakes.shake_hands",
    "ledger": "writes.prepare_ledger",
    "listeners": "wall.listeners",
    "log_in": "mysql.log_in",
    "recent": "recording.recent",
    "record": "recording.record",
    "logged": "logged.find_lines",
    "readable_secrets": "units.readable_secrets",
    "reboot": "booting.reboot",
    "renew": "renewal.renew",
    "ruleset": "wall.compare_ruleset",
    "served": "units.served",
    "statements": "mysql.run_statements",
    "states": "units.states",
    "sweep": "sweep.sweep",
}
"""Operations with one answer: MODULE.FUNCTION, called with the question."""
