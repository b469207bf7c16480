"""What the database products put on a host."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bastide.keeper.settings import load_secrets, load_settings
from bastide.products.context import HostContext
from bastide.products.fragment import Fragment
from bastide.products.keeper import render as keeper
from bastide.products.mariadb import paths
from bastide.products.mariadb import render as mariadb
from bastide.products.mariadb.view import ServerIdCollision, derive_server_ids
from bastide.products.sqlproxy import render as sqlproxy
from bastide.products.sqlproxy.view import FOLDER
from bastide.products.zipapp import build_zipapp
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD, make_spec


def context_of(host: str, layout: Mapping[str, Sequence[str]] = RESILIENT, **sections: Any) -> HostContext:
    spec = make_spec(layout, **sections)
    topology = resolve_topology(spec)
    return HostContext(
        spec=spec, topology=topology, materials=fake_materials(spec, topology), host=topology.hosts[host]
    )


def text(fragment: Fragment, path: str) -> str:
    return {f.path: f.content for f in fragment.files}[path].decode()


def options(fragment: Fragment) -> dict[str, str]:
    lines = text(fragment, paths.SERVER_CONFIG).splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith(("#", "[")))
    return {key.strip(): value.strip() for key, _, value in pairs}


class TestMariadb:
    def test_every_boot_is_read_only_without_replication(self) -> None:
        for layout, host in ((RESILIENT, "db1"), (EVERYTHING_ON_ONE, "all1")):
            found = options(mariadb.render(context_of(host, layout)))
            assert (found["read_only"], found["skip_slave_start"]) == ("ON", "ON")

    def test_a_replicated_server_waits_without_end_and_flushes_every_commit(self) -> None:
        found = options(mariadb.render(context_of("db2")))
        assert found["rpl_semi_sync_master_timeout"] == str(2**64 - 1)
        assert found["rpl_semi_sync_master_wait_no_slave"] == "ON"
        assert "rpl_semi_sync_master_enabled" not in found, "which side is on is the keeper's business"
        assert (found["sync_binlog"], found["innodb_flush_log_at_trx_commit"]) == ("1", "1")
        assert found["bind_address"] == "10.213.0.17" and found["require_secure_transport"] == "ON"

    def test_a_single_server_has_no_network(self) -> None:
        found = options(mariadb.render(context_of("all1", EVERYTHING_ON_ONE)))
        assert "skip_networking" in found and "bind_address" not in found and "ssl_cert" not in found

    def test_plain_text_inside_asks_for_no_certificate(self) -> None:
        found = options(mariadb.render(context_of("db1", tls={"inside": "plain"})))
        assert "ssl_cert" not in found and "require_secure_transport" not in found

    def test_relaxed_durability_is_only_on_demand(self) -> None:
        section = {"mode": "replication", "name": "shop", "durable": False}
        found = options(mariadb.render(context_of("db1", database=section)))
        assert (found["sync_binlog"], found["innodb_flush_log_at_trx_commit"]) == ("0", "2")

    def test_the_users_lines_come_last(self) -> None:
        section = {"mode": "replication", "name": "shop", "snippet": "innodb_io_capacity = 999\n"}
        lines = text(mariadb.render(context_of("db1", database=section)), paths.SERVER_CONFIG).splitlines()
        assert lines[-1] == "innodb_io_capacity = 999"

    def test_server_ids_depend_on_the_name_alone(self) -> None:
        assert derive_server_ids(["db1", "db2"])["db2"] == derive_server_ids(["db2"])["db2"]
        with pytest.raises(ServerIdCollision):
            derive_server_ids(["db1", "db1"])


class TestKeeper:
    def test_what_is_written_can_be_read(self, tmp_path: Path) -> None:
        fragment = keeper.render(context_of("db1"))
        for name, path in (("keeper.json", keeper.SETTINGS), ("secrets.json", keeper.SECRETS)):
            (tmp_path / name).write_text(text(fragment, path))
        settings, secrets = load_settings(tmp_path / "keeper.json"), load_secrets(tmp_path / "secrets.json")
        assert [p.host for p in settings.peers] == ["db2"]
        assert settings.primary_host(settings.peers[0]) == "database.db2.shop.internal"
        assert settings.tls is not None and settings.tls.issuer == "/CN=shop intermediate"
        assert secrets.app.startswith("TEST") and secrets.replication is not None
        assert secrets.app not in repr(secrets)

    def test_a_single_server_has_no_peers_and_no_seed(self) -> None:
        fragment = keeper.render(context_of("all1", EVERYTHING_ON_ONE))
        assert json.loads(text(fragment, keeper.SETTINGS))["peers"] == []
        assert json.loads(text(fragment, keeper.SECRETS)).keys() == {"app"}
        assert not any("seed" in u.name for u in fragment.units)

    def test_secrets_stand_in_secret_files_only(self) -> None:
        context = context_of("server1", WHITEBOARD)
        values = [v.encode() for n, v in context.materials.secrets.items() if n.startswith("database")]
        assert values
        for render in (mariadb.render, keeper.render, sqlproxy.render):
            for file in render(context).files:
                leaks = any(v in file.content for v in values) or b"PRIVATE KEY" in file.content
                assert leaks == file.secret, file.path
                assert not file.secret or file.mode & 0o007 == 0

    def test_the_program_is_the_same_bytes_each_time_and_holds_every_module(self) -> None:
        first = build_zipapp("bastide.keeper")
        build_zipapp.cache_clear()
        assert build_zipapp("bastide.keeper") == first
        names = zipfile.ZipFile(io.BytesIO(first)).namelist()
        assert {"__main__.py", "bastide/keeper/decide.py", "bastide/keeper/__main__.py"} <= set(names)

    def test_the_program_needs_nothing_but_the_standard_library_to_start(self, tmp_path: Path) -> None:
        program = tmp_path / "keeper.pyz"
        program.write_bytes(build_zipapp("bastide.keeper"))
        done = subprocess.run(
            [sys.executable, "-I", str(program), "ready", str(tmp_path / "nowhere.sock")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1 and "nowhere.sock" in done.stdout
        usage = subprocess.run([sys.executable, "-I", str(program)], capture_output=True, text=True, check=False)
        assert usage.returncode == 2

    def test_the_sources_are_of_python_3_10(self) -> None:
        import ast

        archive = zipfile.ZipFile(io.BytesIO(build_zipapp("bastide.keeper")))
        for name in archive.namelist():
            ast.parse(archive.read(name), filename=name, feature_version=(3, 10))


class TestSqlproxy:
    CONFIG = sqlproxy.CONFIG

    def test_an_application_host_listens_on_loopback_only(self) -> None:
        config = text(sqlproxy.render(context_of("app1")), self.CONFIG)
        binds = re.findall(r"^ +bind (\S+)", config, re.M)
        assert [b for b in binds if not b.startswith("unix@")] == ["127.0.0.1:13306", "127.0.0.1:13307"]
        assert "database.pem" not in config

    def test_servers_are_verified_by_their_own_name(self) -> None:
        config = text(sqlproxy.render(context_of("app1")), self.CONFIG)
        servers = re.findall(r"^ +server (\S+) (\S+) (.*)$", config, re.M)
        assert {(name, address) for name, address, _ in servers} == {
            ("db1", "10.213.0.16:3307"),
            ("db2", "10.213.0.17:3307"),
        }
        for name, _, rest in servers:
            assert "verify required" in rest and f"verifyhost database.{name}.shop.internal" in rest
            assert "check-ssl" in rest and "port 3308" in rest

    def test_a_database_host_lets_in_the_hosts_of_its_flows(self) -> None:
        fragment = sqlproxy.render(context_of("db1"))
        lists = {
            f.path.rsplit("/", 1)[1]: f.content.decode().split() for f in fragment.files if "/peers/" in f.path
        }
        assert lists == {
            "sql.lst": ["app.app1", "app.app2"],
            "status.lst": ["app.app1", "app.app2", "database.db1", "database.db2"],
            "seed.lst": ["database.db1", "database.db2"],
        }
        config = text(fragment, self.CONFIG)
        assert re.findall(r"^ +bind (10\S+)", config, re.M) == [f"10.213.0.16:{p}" for p in (3307, 3308, 3309)]
        assert config.count("verify required") == 3 + 2, "three listeners, two ways to the peer"

    def test_plain_text_inside_lets_in_by_address(self) -> None:
        fragment = sqlproxy.render(context_of("db1", tls={"inside": "plain"}))
        config = text(fragment, self.CONFIG)
        assert not re.search(r"^ +(bind|server) .* ssl ", config, re.M) and "src -f" in config
        assert text(fragment, f"{FOLDER}/peers/sql.lst").split() == ["10.213.0.14", "10.213.0.15"]

    def test_a_static_site_with_replicas_still_has_its_status(self) -> None:
        context = context_of("db1", app={"kind": "static"})
        config = text(sqlproxy.render(context), self.CONFIG)
        assert re.findall(r"^ +bind (10\S+)", config, re.M) == ["10.213.0.16:3308", "10.213.0.16:3309"]

    def test_debians_own_proxy_is_stopped_where_no_balancer_runs(self) -> None:
        assert sqlproxy.render(context_of("app1")).units[0].stops_before == ("haproxy.service",)
        assert sqlproxy.render(context_of("all1", EVERYTHING_ON_ONE)).units[0].stops_before == ()
