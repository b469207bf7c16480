"""The operations that a conversation can ask for, beside `observe`.

In: the conversation and the request's fields. Out: the result's plain JSON value. Raises Failure.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bastide.host.balancing import Runtime, ask_servers, drain_server, edge_status, names_of, undrain_server
from bastide.host.check import run_checks
from bastide.host.disk import sha256_of
from bastide.host.errors import Failure
from bastide.host.journal import read_journal
from bastide.host.lease import TTL_S
from bastide.host.lifecycle import Terms, activate, confirm, hold, return_to_previous, undo
from bastide.host.manifest import is_switched
from bastide.host.numbering import take_number
from bastide.host.observe import own_addresses, status
from bastide.host.packages import return_versions
from bastide.host.record import read_record
from bastide.host.redact import redactor
from bastide.host.stage import prepare_state, stage_generation, wanted_contents
from bastide.host.state import current_digest, read_activation, read_manifest, write_activation
from bastide.host.store import is_built, tree_path
from bastide.host.systemd import last_said

if TYPE_CHECKING:
    from bastide.host.serve import Conversation

_LARGEST_SHOWN = 256 << 10


def _stage(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    """Bring a generation onto the host. Keeps the lock: what was staged is what will be activated."""
    machine = conversation.machine
    conversation.hold_lock(request.get("who", ""), float(request.get("lock_wait_s", 10.0)))
    prepare_state(machine)
    manifest, digest = request["manifest"], request["digest"]
    received = conversation.ask_contents(wanted_contents(machine, manifest, digest))
    stage_generation(machine, manifest, digest, conversation.tell)
    if request.get("kind") == "rollback":
        _return_packages(conversation, digest)
    return {"received": received}


def _return_packages(conversation: Conversation, digest: str) -> None:
    """A rollback is whole where Debian still has the versions of then, and says so where not."""
    recorded = [entry["packages"] for entry in read_record(conversation.machine) if entry["digest"] == digest]
    back, stays = return_versions(conversation.machine, recorded[-1]) if recorded else ([], [])
    if back:
        conversation.tell("packages", names=back)
    for said in stays:
        conversation.tell("warning", text=said)


def _lease(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    """Be the only controller at work here while the conversation lasts and is renewed."""
    conversation.hold_lease(request.get("who", ""), float(request.get("ttl_s", TTL_S)))
    activation = read_activation(conversation.machine)
    if "token" in request and activation["token"] != request["token"]:
        conversation.drop_lease()
        raise Failure(
            "moved",
            f"{activation['who'] or 'someone'} applied here between the look and the lease",
            hint="Nothing was changed. Look at `bastide plan` again, then apply.",
        )
    return {}


def _history(conversation: Conversation, _request: dict[str, Any]) -> dict[str, Any]:
    """What was applied here, and what is kept."""
    machine = conversation.machine
    return {
        "journal": read_journal(machine),
        "generations": [dict(entry) for entry in read_record(machine)],
        "activation": dict(read_activation(machine)),
        "live": current_digest(machine),
    }


def _manifest(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    """Manifest of a generation that is kept here."""
    return {"manifest": read_manifest(conversation.machine, request["digest"])}


def _number(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    """A number for an apply of other hosts."""
    return {"number": take_number(conversation.machine, int(request["at_least"]))}


def _settle(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    """The spec says what was put back on purpose: nothing is older than it any more."""
    conversation.hold_lock("settle", float(request.get("lock_wait_s", 10.0)))
    try:
        activation = read_activation(conversation.machine)
        if activation["on_purpose"]:
            write_activation(conversation.machine, {**activation, "on_purpose": ""})
    finally:
        conversation.release_lock()
    return {}


def _check(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    machine, digest = conversation.machine, request["digest"]
    manifest = read_manifest(machine, digest)
    run_checks(machine, manifest, digest, conversation.tell, redactor(machine, manifest, digest))
    return {"checks": len(manifest["checks"])}


def _activate(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    who = request.get("who", "")
    conversation.hold_lock(who, float(request.get("lock_wait_s", 10.0)))
    terms = Terms(
        who=who,
        confirm_s=float(request.get("confirm_s", 90.0)),
        grants=request.get("grants", ()),
        program=conversation.program,
        settle_s=float(request.get("settle_s", 0.0)),
        drain_s=float(request.get("drain_s", 5.0)),
        number=int(request.get("number", 0)),
        commit=str(request.get("commit", "")),
        operation=str(request.get("kind", "apply")),
        on_purpose=str(request.get("on_purpose", "")),
    )
    try:
        activate(conversation.machine, request["digest"], terms, conversation.tell)
    finally:
        conversation.release_lock()
    return {}


def _confirm(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    conversation.hold_lock("confirm", float(request.get("lock_wait_s", 10.0)))
    try:
        confirm(conversation.machine, request["digest"], keep=int(request.get("keep", 5)), tell=conversation.tell)
    finally:
        conversation.release_lock()
    return {}


def _hold(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    conversation.hold_lock("hold", float(request.get("lock_wait_s", 10.0)))
    try:
        hold(conversation.machine, request["digest"], float(request["hold_s"]))
    finally:
        conversation.release_lock()
    return {}


def _phase(conversation: Conversation, _request: dict[str, Any]) -> dict[str, Any]:
    """How far the newest activation is."""
    activation = read_activation(conversation.machine)
    return {"phase": activation["phase"], "digest": activation["digest"]}


def _undo(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    conversation.hold_lock(request.get("who", ""), float(request.get("lock_wait_s", 10.0)))
    try:
        said = undo(
            conversation.machine, request["digest"], conversation.tell, why=str(request.get("why", "undone"))
        )
    finally:
        conversation.release_lock()
    return {"said": said}


def _runtime(conversation: Conversation, request: dict[str, Any]) -> Runtime:
    return Runtime(conversation.machine, request["socket"], request["backend"])


def _drain(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    """Until `undrain`, or the end of the conversation."""
    runtime, server = _runtime(conversation, request), request["server"]
    conversation.at_end[server] = lambda: undrain_server(runtime, server, 0.0)
    left = drain_server(runtime, server, conversation.program, float(request["wait_s"]))
    return {"left": left}


def _undrain(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    server = request["server"]
    serving = undrain_server(_runtime(conversation, request), server, float(request["wait_s"]))
    conversation.at_end.pop(server, None)
    return {"serving": serving}


def _edge(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    """What this balancer has to offer: the servers that it sends requests to, who of them is well, and its own answer."""
    serving = names_of(_runtime(conversation, request).servers().values())
    status = edge_status(conversation.machine, request["url"], request["name"], int(request["port"]))
    said = last_said(conversation.machine, request["unit"]) if request.get("lines") else []
    return {
        "serving": serving,
        "good": ask_servers(conversation.machine, request["check"], serving),
        "status": status,
        "addresses": own_addresses(conversation.machine),
        "lines": said,
    }


def _rollback(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    conversation.hold_lock(request.get("who", ""), float(request.get("lock_wait_s", 10.0)))
    try:
        said = return_to_previous(conversation.machine, conversation.tell)
    finally:
        conversation.release_lock()
    return {"said": said, "phase": read_activation(conversation.machine)["phase"]}


def _contents(conversation: Conversation, request: dict[str, Any]) -> dict[str, Any]:
    """Contents for a plan's differences, of what stands or of a kept generation; never of a file that is secret."""
    machine = conversation.machine
    live, kept = current_digest(machine), str(request.get("generation", ""))
    have = read_manifest(machine, kept or live) if is_built(machine, kept or live) and (kept or live) else None
    secret = {e["path"] for e in have["files"] if e["secret"]} if have else set()
    ours = {e["path"]: e["sha256"] for e in have["files"]} if have else {}
    found = {}
    for path in request["paths"]:
        inside = kept or (live if is_switched(path) else "")
        place = tree_path(machine, inside, path) if inside else machine.path(path)
        if path in secret or not place.is_file() or place.stat().st_size > _LARGEST_SHOWN:
            continue
        # What we wrote is known not to be secret; what others may not read and is not ours, nobody knows.
        if place.stat().st_mode & 0o004 or sha256_of(place) == ours.get(path):
            found[path] = base64.b64encode(place.read_bytes()).decode()
    return found


def _addresses(conversation: Conversation, _request: dict[str, Any]) -> dict[str, Any]:
    return {"addresses": own_addresses(conversation.machine)}


def _status(conversation: Conversation, _request: dict[str, Any]) -> dict[str, Any]:
    return status(conversation.machine)


OPERATIONS: dict[str, Callable[[Conversation, dict[str, Any]], Any]] = {
    "stage": _stage,
    "check": _check,
    "activate": _activate,
    "confirm": _confirm,
    "hold": _hold,
    "phase": _phase,
    "undo": _undo,
    "drain": _drain,
    "undrain": _undrain,
    "edge": _edge,
    "rollback": _rollback,
    "contents": _contents,
    "status": _status,
    "addresses": _addresses,
    "lease": _lease,
    "settle": _settle,
    "number": _number,
    "history": _history,
    "manifest": _manifest,
}
