"""What can be asked of a host: names and functions."""

from collections.abc import Callable, Mapping
from typing import Any

from bastide.prober.arrivals import count_arrivals
from bastide.prober.booting import boot_times, reboot, watch_boot
from bastide.prober.canaries import send_canaries
from bastide.prober.capture import capture
from bastide.prober.control import try_control
from bastide.prober.crowd import crowd
from bastide.prober.datagrams import send_datagrams
from bastide.prober.egress import try_egress
from bastide.prober.handshakes import shake_hands
from bastide.prober.logged import find_lines
from bastide.prober.monitor import ask_hub, count_requests, list_alerts, provoke_alert
from bastide.prober.mysql import log_in, run_statements
from bastide.prober.recording import collect, forget, recent, record
from bastide.prober.renewal import certificate_of, renew
from bastide.prober.routes import addresses
from bastide.prober.sweep import sweep
from bastide.prober.units import exposures, readable_secrets, served, states
from bastide.prober.visits import visit
from bastide.prober.wall import compare_ruleset, counters, listeners
from bastide.prober.writes import prepare_ledger

Say = Callable[["dict[str, Any]"], None]


def answer(request: "Mapping[str, Any]", say: Say) -> Any:
    """Do what is asked. Raises KeyError for what there is not."""
    operation = request["op"]
    if operation in _LASTING:
        return _LASTING[operation](request, say)
    return _QUICK[operation](request)


_LASTING: "dict[str, Callable[[Mapping[str, Any], Say], Any]]" = {
    "arrivals": count_arrivals,
    "capture": capture,
    "visits": visit,
    "crowd": crowd,
    "watch_boot": watch_boot,
}
_QUICK: "dict[str, Callable[[Mapping[str, Any]], Any]]" = {
    "alerts": list_alerts,
    "hub": ask_hub,
    "provoke": provoke_alert,
    "requests": count_requests,
    "addresses": lambda _: addresses(),
    "boot_times": boot_times,
    "canaries": send_canaries,
    "collect": collect,
    "certificate_of": certificate_of,
    "control": try_control,
    "counters": counters,
    "datagrams": send_datagrams,
    "egress": try_egress,
    "exposures": exposures,
    "forget": forget,
    "handshakes": shake_hands,
    "ledger": prepare_ledger,
    "listeners": listeners,
    "log_in": log_in,
    "recent": recent,
    "record": record,
    "logged": find_lines,
    "readable_secrets": readable_secrets,
    "reboot": reboot,
    "renew": renew,
    "ruleset": compare_ruleset,
    "served": served,
    "statements": run_statements,
    "states": states,
    "sweep": sweep,
}
