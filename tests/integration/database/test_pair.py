"""A primary and its replica, from nothing: what serves, what is refused, what survives."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from bastide.keeper.accounts import hash_password
from bastide.products.mariadb import paths
from tests.integration.database.scene import Node, Scene

pytestmark = pytest.mark.lab
PRIMARY_PORT, REPLICA_PORT = 13306, 13307


def query(scene: Scene, port: int, statement: str, password: str | None = None) -> subprocess.CompletedProcess[str]:
    """As the application does: its own user, over the loopback proxy."""
    secret = password or scene.materials.secrets["database.password"]
    return subprocess.run(
        [
            *("mariadb", "--no-defaults", "--user=app", "--host=127.0.0.1", f"--port={port}", "--skip-ssl"),
            *("-N", "-B", "shop", "-e", statement),
        ],
        env={"MYSQL_PWD": secret, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def write(scene: Scene, value: str) -> None:
    done = query(scene, PRIMARY_PORT, f"INSERT INTO entries (value) VALUES ('{value}')")
    assert done.returncode == 0, done.stderr


def values(node: Node) -> list[str]:
    return [row[0] for row in node.sql("SELECT value FROM shop.entries ORDER BY id")]


def server_id(node: Node) -> str:
    return node.sql("SELECT @@server_id")[0][0]


@pytest.fixture
def shop(pair: Scene) -> Scene:
    """The pair, with a table and one row."""
    pair.until(
        lambda: query(pair, PRIMARY_PORT, "SELECT 1").returncode == 0, "the application's way to the primary"
    )
    done = query(pair, PRIMARY_PORT, "CREATE TABLE entries (id INT PRIMARY KEY AUTO_INCREMENT, value VARCHAR(50))")
    assert done.returncode == 0, done.stderr
    write(pair, "first")
    return pair


def test_serves_the_application_and_a_lost_replica_stops_nothing(shop: Scene) -> None:
    db1, db2 = shop.nodes["db1"], shop.nodes["db2"]

    before, without = (db1.status()[1][k] for k in ("acknowledged", "unacknowledged"))
    for number in range(20):
        write(shop, f"acknowledged {number}")
    shop.until(lambda: db1.status()[1]["acknowledged"] >= before + 20, "acknowledged commits are counted")
    assert db1.status()[1]["unacknowledged"] == without
    shop.until(lambda: values(db2) == values(db1), "the replica has every row")

    shop.until(
        lambda: query(shop, REPLICA_PORT, "SELECT @@server_id").stdout.strip() == server_id(db2),
        "reads by the replica",
    )
    assert query(shop, PRIMARY_PORT, "SELECT @@server_id").stdout.strip() == server_id(db1)
    refused = query(shop, REPLICA_PORT, "INSERT INTO entries (value) VALUES ('no')")
    assert "1290" in refused.stderr

    db2.end("keeper")
    db2.end("mariadb", 9)
    shop.until(lambda: bool(db1.status()[1]["alone"]), "the primary goes on alone")
    write(shop, "alone")
    shop.until(
        lambda: query(shop, REPLICA_PORT, "SELECT @@server_id").stdout.strip() == server_id(db1),
        "reads fall back to the primary",
    )

    db2.start_server()
    db2.start_keeper()
    shop.until(
        lambda: db2.is_("replica") and bool(db1.status()[1]["semi_sync"]), "the replica is back, and waited for"
    )
    assert values(db2) == values(db1)


def test_a_frozen_replica_holds_commits_up_for_seconds_only(shop: Scene) -> None:
    db1, db2 = shop.nodes["db1"], shop.nodes["db2"]
    server = db2.pid_of("mariadb")
    os.kill(server, signal.SIGSTOP)
    began = time.monotonic()
    write(shop, "while the replica is frozen")
    took = time.monotonic() - began
    os.kill(server, signal.SIGCONT)
    print(f"held up for {took:.1f} s")
    assert 1 < took < 10, "it waited for the replica, and gave up"
    shop.until(lambda: bool(db1.status()[1]["alone"]), "the primary says that it is alone")
    shop.until(lambda: bool(db1.status()[1]["semi_sync"]) and values(db1) == values(db2), "waited for again")


def test_the_application_may_do_nothing_outside_its_database(shop: Scene) -> None:
    for statement in (
        "CREATE USER x",
        "SET GLOBAL read_only = 1",
        "SELECT * FROM mysql.global_priv",
        "CREATE DATABASE other",
        "SET GLOBAL rpl_semi_sync_master_enabled = 0",
    ):
        assert query(shop, PRIMARY_PORT, statement).returncode != 0, statement
    assert query(shop, PRIMARY_PORT, "SELECT 1", password="wrong").returncode != 0
    users = {row[0] for row in shop.nodes["db1"].sql("SELECT User FROM mysql.user")}
    assert users == {"app", "mariadb.sys", "mysql", "root", "replica-db1", "replica-db2"}


def test_roles_come_back_after_a_restart_in_any_order(shop: Scene) -> None:
    db1, db2 = shop.nodes["db1"], shop.nodes["db2"]
    for first, second in ((db1, db2), (db2, db1)):
        for node in (db1, db2):
            node.end("keeper")
            node.end("mariadb", 9)
        first.start_server()
        first.start_keeper()
        shop.until(lambda node=first: node.status()[0] == 200, "the first answers")  # type: ignore[misc]
        assert db2 is not first or db2.status("/primary")[0] == 503
        second.start_server()
        second.start_keeper()
        shop.until(lambda: db1.is_("primary") and db2.is_("replica"), "both roles")
        shop.until(lambda: db1.status("/primary")[0] == 200 and db2.status("/replica")[0] == 200, "both serve")
        shop.until(lambda: bool(db1.status()[1]["semi_sync"]), "semi-sync")
        write(shop, "after a restart")
        shop.until(lambda: values(db2) == values(db1), "the replica follows")


def test_a_certificate_of_another_tier_is_no_primary(shop: Scene) -> None:
    db1, db2 = shop.nodes["db1"], shop.nodes["db2"]
    own = [db1.path(f"{paths.SERVER_TLS}/{name}").read_bytes() for name in ("certificate.pem", "key.pem")]
    foreign = [path.read_bytes() for path in shop.pem("web", "web1")]

    def present(pair: list[bytes]) -> None:
        for name, content in zip(("certificate.pem", "key.pem"), pair, strict=True):
            db1.path(f"{paths.SERVER_TLS}/{name}").write_bytes(content)
        db1.sql("FLUSH LOCAL SSL")
        db2.sql("STOP SLAVE IO_THREAD; START SLAVE IO_THREAD")

    present(foreign)
    shop.until(lambda: "SSL" in db2.status()[1]["message"] or "ertificate" in db2.status()[1]["message"], "refused")
    print(db2.status()[1]["message"])
    assert db2.sql("SHOW STATUS LIKE 'Slave_running'") == [["Slave_running", "OFF"]]
    present(own)
    shop.until(lambda: db2.is_("replica"), "the true certificate is accepted again")


def test_listeners_let_in_their_own_peers_only(shop: Scene) -> None:
    expected = {
        (3307, "app", "app1"): True,
        (3307, "web", "web1"): False,
        (3307, "database", "db2"): False,
        (3308, "app", "app1"): True,
        (3308, "database", "db2"): True,
        (3308, "web", "web1"): False,
        (3309, "database", "db2"): True,
        (3309, "app", "app1"): False,
    }
    found = {key: _is_let_in(shop, *key) for key in expected}
    assert found == expected


def test_a_replica_account_opens_to_its_own_certificate_only(shop: Scene) -> None:
    def log_in(account: str, role: str, host: str) -> bool:
        certificate, key = shop.pem(role, host)
        root = shop.folder / "root.pem"
        root.write_text(shop.materials.trust_anchor_pem)
        done = subprocess.run(
            [
                *("mariadb", "--no-defaults", f"--user={account}", "--host=127.77.0.11", "--port=3306"),
                *(f"--ssl-ca={root}", f"--ssl-cert={certificate}", f"--ssl-key={key}", "-e", "SELECT 1"),
            ],
            env={"MYSQL_PWD": shop.materials.secrets["database.replication"], "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return done.returncode == 0

    assert log_in("replica-db2", "database", "db2")
    assert not log_in("replica-db2", "database", "db1")
    assert not log_in("replica-db2", "app", "app1")
    assert not log_in("app", "database", "db2")


def test_a_replica_with_transactions_of_its_own_never_serves(shop: Scene) -> None:
    db2 = shop.nodes["db2"]
    db2.end("keeper")
    db2.sql("STOP SLAVE; SET GLOBAL read_only = 0; INSERT INTO shop.entries (value) VALUES ('errant')")
    db2.end("mariadb")
    db2.start_server()
    db2.start_keeper()
    shop.until(lambda: db2.is_("replica", "needs-reclone"), "errant transactions are found")
    assert db2.status("/replica")[0] == db2.status("/ready")[0] == 503
    assert db2.sql("SELECT @@read_only") == [["1"]]
    assert "errant" in values(db2), "nothing is thrown away"


def test_a_changed_password_is_the_new_one_without_a_restart_of_the_server(shop: Scene) -> None:
    db1 = shop.nodes["db1"]
    secrets = db1.path("/etc/bastide/keeper/secrets.json")
    plain = json.loads(secrets.read_text())
    secrets.write_text(json.dumps(plain | {"app": "another-password"}))
    db1.start_keeper()
    shop.until(
        lambda: query(shop, PRIMARY_PORT, "SELECT 1", password="another-password").returncode == 0,
        "the new password",
    )
    assert query(shop, PRIMARY_PORT, "SELECT 1").returncode != 0, "the old one is refused"
    binlog = b"".join(p.read_bytes() for p in db1.path(paths.DATA).glob("binlog.0*"))
    assert b"another-password" not in binlog
    assert hash_password("another-password").encode() in binlog, "the search above can find something"


def test_an_operators_higher_epoch_wins_and_the_old_primary_follows(shop: Scene) -> None:
    db1, db2 = shop.nodes["db1"], shop.nodes["db2"]
    for node in (db1, db2):
        node.end("keeper")
        node.end("mariadb")
    _record(db2, role="primary", epoch=2)
    for node in (db1, db2):
        node.start_server()
        node.start_keeper()
    shop.until(lambda: db2.is_("primary") and db1.is_("replica"), "roles have changed")
    shop.until(lambda: query(shop, PRIMARY_PORT, "SELECT @@server_id").stdout.strip() == server_id(db2), "the way")
    write(shop, "on the new primary")
    shop.until(lambda: values(db1) == values(db2), "the old primary follows")
    assert json.loads(db1.path(paths.RECORD).read_text())["epoch"] == 2


def test_two_primaries_of_one_epoch_both_stop_writing(shop: Scene) -> None:
    db1, db2 = shop.nodes["db1"], shop.nodes["db2"]
    db2.end("keeper")
    db2.end("mariadb")
    _record(db2, role="primary", epoch=1)
    db2.start_server()
    db2.start_keeper()
    shop.until(lambda: db1.is_("primary", "conflict") and db2.is_("primary", "conflict"), "both shout")
    shop.until(lambda: all(n.sql("SELECT @@read_only") == [["1"]] for n in (db1, db2)), "neither writes")
    assert db1.status("/primary")[0] == db2.status("/primary")[0] == 503


def _record(node: Node, *, role: str, epoch: int) -> None:
    plain = {"format": 1, "role": role, "epoch": epoch, "seed_gtid": None}
    node.path(paths.RECORD).write_text(json.dumps(plain))


def _is_let_in(scene: Scene, port: int, role: str, host: str) -> bool:
    """Whether the listener keeps the connection: a refused peer is closed right after the handshake."""
    context = ssl.create_default_context(cadata=scene.materials.trust_anchor_pem)
    certificate, key = scene.pem(role, host)
    context.load_cert_chain(certificate, key)
    try:
        with (
            socket.create_connection(("127.77.0.11", port), timeout=1.5) as plain,
            context.wrap_socket(plain, server_hostname="database.db1.shop.internal") as connection,
        ):
            if port == 3308:
                connection.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            return connection.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def test_the_tests_own_eyes() -> None:
    """A closed port is not taken for a listener that lets in."""
    with socket.socket() as unused:
        unused.bind(("127.77.0.11", 0))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(unused.getsockname(), timeout=1).close()


def test_a_reload_of_the_proxy_never_offers_the_replica_for_writes(shop: Scene) -> None:
    app1 = shop.nodes["app1"]
    admin, state = "/run/sqlproxy/admin.sock", "/run/sqlproxy/state"

    def sessions_of_the_replica(*, saved: bool) -> int:
        if saved:
            done = app1.run("/usr/bin/python3", "-I", "/etc/bastide/sqlproxy/save_state.py", admin, state)
            assert done.returncode == 0, done.stderr
        else:
            app1.path(state).write_bytes(b"1\n")
        workers = app1.output.count("New worker")
        os.kill(int(app1.path("/run/sqlproxy/pid").read_text().split()[0]), signal.SIGUSR2)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            held = [_connect() for _ in range(8)]  # side by side, or all would go to the first server
            time.sleep(0.1)
            for connection in held:
                connection.close()
        assert app1.output.count("New worker") == workers + 1, "it was reloaded"
        statistics = app1.run("socat", "-", f"UNIX-CONNECT:{admin}", stdin="show stat\n").stdout.splitlines()
        found = {tuple(line.split(",")[:2]): int(line.split(",")[7]) for line in statistics[1:] if line}
        assert found["primary", "db1"] > 10, "connections were made all the time"
        return found["primary", "db2"]

    # While the replica's proxy is frozen no check of it ends: what is believed of it until then is what counts.
    proxy = shop.nodes["db2"].running["sqlproxy"].pid
    workers = [int(pid) for pid in Path(f"/proc/{proxy}/task/{proxy}/children").read_text().split()]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert sessions_of_the_replica(saved=True) == 0
        assert sessions_of_the_replica(saved=False) > 0, "without the saved state this test sees the replica"
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)


def _connect() -> socket.socket:
    return socket.create_connection(("127.0.0.1", PRIMARY_PORT), timeout=2)
