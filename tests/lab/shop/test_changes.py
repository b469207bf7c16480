"""The spec changes: a fault stops at the checker, a change touches whom it concerns, and visitors notice neither."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import signal
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bastide.apply.events import Event, Progressed, Warned
from bastide.apply.result import ApplyResult
from bastide.apply.run import apply_bundles
from bastide.cli.applying import apply_settings
from bastide.project.desired import Desired, derive_desired
from bastide.project.members import database_members, find_primary
from bastide.project.opening import open_project
from bastide.project.target import Target, choose_target
from tests.lab.commands import Commands
from tests.lab.load import steady_load
from tests.lab.shop.test_faults import primary_and_replica

pytestmark = pytest.mark.lab


@contextlib.contextmanager
def spec_with(shop: Commands, below: str, line: str) -> Iterator[None]:
    """The spec with a line more below another; afterwards as before."""
    before = shop.spec.read_text()
    assert below in before
    shop.spec.write_text(before.replace(below, f"{below}\n{line}"))
    try:
        yield
    finally:
        shop.spec.write_text(before)


def generations(shop: Commands) -> dict[str, str]:
    return {host["name"]: host["generation"] for host in shop.status()["hosts"]}


def test_a_snippet_that_nginx_dislikes_changes_nothing_anywhere(shop: Commands) -> None:
    before = generations(shop)
    with spec_with(shop, "web:", '  snippets: {server: "no_such_directive on;"}'), steady_load(shop) as load:
        failed = shop.run("apply", "--json")
    assert failed.returncode == 1
    hosts = {host["name"]: host for host in json.loads(failed.stdout)["hosts"]}
    blamed = [name for name, host in hosts.items() if host["result"] == "failed"]
    assert blamed and set(blamed) <= {"web1", "web2"}
    assert 'unknown directive "no_such_directive"' in failed.stderr and f"error: {blamed[0]}" in failed.stderr
    assert generations(shop) == before
    assert not load.ledger.failed, load.ledger
    assert shop.run("plan", "--exit-code").returncode == 0


def test_a_larger_body_size_changes_the_web_servers_and_loses_no_request(shop: Commands) -> None:
    for size in ("50M", None):
        with contextlib.ExitStack() as stack:
            if size:
                stack.enter_context(spec_with(shop, "web:", f"  max_body_size: {size}"))
            planned = shop.run("plan", "--exit-code", "--json")
            assert planned.returncode == 3
            changing = {h["name"]: h for h in json.loads(planned.stdout)["hosts"] if h["changes"]}
            assert set(changing) == {"web1", "web2"}
            steps = [(step["kind"], step["what"]) for step in changing["web1"]["steps"]]
            assert steps == [
                ("WriteFile", "~ /etc/bastide/nginx/web.conf"),
                ("ReloadUnit", "* reload nginx.service"),
            ]
            if size:
                text = shop.do("plan")
                assert "web1, then web2" in text and "+    client_max_body_size 52428800;" in text
            with steady_load(shop) as load:
                applied = json.loads(shop.do("apply", "--json"))
            print(f"apply under load: {load.ledger}")
            assert {h["name"] for h in applied["hosts"] if h["result"] == "changed"} == {"web1", "web2"}
            assert not load.ledger.failed, load.ledger
            assert shop.run("plan", "--exit-code").returncode == 0


def desired_here(shop: Commands) -> tuple[Target, Desired]:
    """What an apply of the spec, as it is now, brings."""
    target = choose_target(open_project(shop.spec), "lab")
    return target, derive_desired(target, now=datetime.now(UTC), environ=os.environ, on_progress=lambda _: None)


def apply_here(target: Target, desired: Desired, on_event: Callable[[Event], None]) -> ApplyResult:
    """`bastide apply` of the application hosts in this process, where each event can be seen."""
    return apply_bundles(
        desired.bundles,
        target.endpoints,
        desired.topology,
        on_event=on_event,
        archives=lambda digest: desired.blobs / digest,
        only=frozenset({"app1", "app2"}),
        primary=find_primary(database_members(target, desired.topology)),
        state_dir=target.state,
        settings=replace(apply_settings(target), settle_s=0.5),
    )


def step_of(event: Event) -> str:
    """What is done, whichever of the two hosts it is done to, and however busy it is."""
    text = f"{event.phase} {event.text}" if isinstance(event, Progressed) else type(event).__name__
    return re.sub(r"[0-9.]+", "#", re.sub(r", \d+ requests still run$", "", text))


def kill_at(target: Target, desired: Desired, step: str) -> bool:
    """Apply in a process of its own that is killed -9 at that step; whether it came to that step."""

    def watch(event: Event) -> None:
        if step_of(event) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    controller = multiprocessing.get_context("fork").Process(target=apply_here, args=(target, desired, watch))
    controller.start()
    controller.join(120)
    return controller.exitcode == -signal.SIGKILL


def test_an_apply_that_is_killed_at_every_step_fails_no_purchase(shop: Commands) -> None:
    """The application restarts on both hosts each time; orders go on behind the virtual address, and each is kept."""
    primary, _ = primary_and_replica(shop)
    sql = "mariadb --socket /run/mysqld/mysqld.sock -Ne"
    product, stock = shop.ask(primary, f"{sql} 'SELECT id, stock FROM shop.products ORDER BY id LIMIT 1'").split()
    shop.ask(primary, f"{sql} 'UPDATE shop.products SET stock = 1000000 WHERE id = {product}'")
    run = uuid.uuid4().hex[:8]
    order = {"items": [{"product_id": int(product), "quantity": 1}], "idempotency_key": f"{run}-NUMBER"}
    rounds = iter(range(1000))

    def change() -> contextlib.AbstractContextManager[None]:
        return spec_with(shop, "app:", f"  environment: {{ROUND: '{run}-{next(rounds)}'}}")

    seen: list[Event] = []
    try:
        with steady_load(shop, path="/api/orders", method="POST", body=json.dumps(order)) as load:
            with change():
                assert apply_here(*desired_here(shop), seen.append).ok
            steps = list(dict.fromkeys(step_of(event) for event in seen if not isinstance(event, Warned)))
            missed = []
            for step in steps:
                with change():
                    target, desired = desired_here(shop)
                    if not kill_at(target, desired, step):
                        missed.append(step)
                    result = apply_here(target, desired, lambda _: None)
                    assert result.ok, (step, result)
    finally:
        applied = shop.run("apply")
        shop.ask(primary, f"{sql} 'UPDATE shop.products SET stock = {stock} WHERE id = {product}'")
    print(f"\nkilled at each of {len(steps)} steps: {load.ledger}", *steps, sep="\n  ")
    assert applied.returncode == 0, applied.stderr
    assert len(steps) >= 15 and not missed, (steps, missed)
    assert not load.ledger.failed, load.ledger
    kept = shop.ask(primary, f"{sql} \"SELECT COUNT(*) FROM shop.orders WHERE idempotency_key LIKE '{run}-%'\"")
    assert int(kept) == len(load.ledger.gets), "each purchase that was acknowledged is there, once"
