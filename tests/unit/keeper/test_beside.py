"""Accounts are made when they are not what they must be: what the seat says of them may be older than they are."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bastide.keeper import beside as module
from bastide.keeper.accounts import derive_certificates, digest_accounts
from bastide.keeper.beside import Beside
from bastide.keeper.settings import Secrets

ISSUER = "/CN=shop"
SETTINGS: Any = SimpleNamespace(
    host="db1", peers=(SimpleNamespace(host="db2"),), mode="replication", tls=SimpleNamespace(issuer=ISSUER),
    user="app", database="shop", exporter=None, secrets=Path("/nowhere"),
)  # fmt: skip
SECRETS = Secrets(app="a", replication="r")
MADE = {f"replica-{host}": (f"/CN=database.{host}", ISSUER) for host in ("db1", "db2")}
LOOSE = dict.fromkeys(MADE, ("", ""))


class FakeServer:
    """A server whose accounts ask for that."""

    def __init__(self, asked: dict[str, tuple[str, str]]) -> None:
        self.asked, self.made = asked, 0

    def certificates_asked(self) -> dict[str, tuple[str, str]]:
        return self.asked

    def reconcile_accounts(self, _: Secrets) -> None:
        self.made, self.asked = self.made + 1, MADE


def accounted(server: FakeServer, said: str, monkeypatch: pytest.MonkeyPatch, *, read_only: bool = False) -> str:
    """What the keeper of db1, which holds the seat, says of the accounts after two looks."""
    monkeypatch.setattr(module, "load_secrets", lambda _: SECRETS)
    lease: Any = SimpleNamespace(accounts="")
    keeper = Beside(SETTINGS, server, lease, threading.Event(), lambda: None)  # type: ignore[arg-type]
    look: Any = SimpleNamespace(
        host="db1", seat=SimpleNamespace(holder="db1", accounts=said), server=SimpleNamespace(read_only=read_only)
    )
    for _ in range(2):
        keeper.account(look)
        while keeper._accounting:
            time.sleep(0.001)
    return str(lease.accounts)


def test_certificates_follow_from_the_settings() -> None:
    assert derive_certificates(SETTINGS) == MADE
    assert derive_certificates(SimpleNamespace(**{**vars(SETTINGS), "tls": None})) == LOOSE  # type: ignore[arg-type]


def test_accounts_that_are_as_the_seat_says_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server, digest = FakeServer(MADE), digest_accounts(SETTINGS, SECRETS)
    assert accounted(server, digest, monkeypatch) == digest and server.made == 0


def test_accounts_that_another_generation_made_since_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    server, digest = FakeServer(LOOSE), digest_accounts(SETTINGS, SECRETS)
    assert accounted(server, digest, monkeypatch) == digest
    assert server.made == 1 and server.asked == MADE


def test_accounts_of_which_the_seat_says_nothing_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(MADE)
    assert accounted(server, "", monkeypatch) and server.made == 1


def test_a_server_that_takes_no_writes_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(LOOSE)
    assert accounted(server, "", monkeypatch, read_only=True) == "" and server.made == 0
