"""Command lines, the zipapp, and conversations with a stand-in for ssh that runs the loader right here."""

from __future__ import annotations

import ast
import io
import os
import stat
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import bastide.host
from bastide.transport.endpoint import Endpoint, control_path, root_argv, ssh_argv
from bastide.transport.errors import HostFailed, HostUnreachable
from bastide.transport.ssh import open_conversation
from bastide.transport.zipapp import host_program

WEB1 = Endpoint(
    host="web1",
    address="10.0.0.5",
    port=2222,
    user="deploy",
    identity_file=Path("/k/id"),
    known_hosts=Path("/k/known"),
)


def test_argv_names_everything_and_nothing_else() -> None:
    argv = ssh_argv(WEB1)
    assert argv[0] == "ssh"
    assert argv[-5:] == ["-p", "2222", "-l", "deploy", "10.0.0.5"]
    for option in ("BatchMode=yes", "ControlMaster=auto", "IdentitiesOnly=yes", "UserKnownHostsFile=/k/known"):
        assert option in argv
    assert "ControlPath=none" in ssh_argv(WEB1, fresh=True)
    assert "-t" in ssh_argv(WEB1, tty=True)


def test_users_own_configuration_is_respected_without_files_of_ours() -> None:
    argv = ssh_argv(Endpoint(host="web1", address="10.0.0.5"))
    assert not any("KnownHosts" in part or "Identit" in part for part in argv)


def test_control_path_is_short_and_private() -> None:
    path = control_path(WEB1)
    assert len(str(path)) + 20 < 100
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert control_path(Endpoint(host="web1", address="10.0.0.6")) != path


def test_zipapp_is_the_same_for_the_same_sources() -> None:
    digest, content = host_program()
    host_program.cache_clear()
    assert host_program() == (digest, content)
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert {"__main__.py", "bastide/__init__.py", "bastide/host/serve.py"} <= set(names)


def test_host_code_imports_nothing_but_itself_and_the_standard_library() -> None:
    for path in Path(bastide.host.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 10))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.startswith("bastide.host") or name.split(".")[0] in sys.stdlib_module_names, (
                    path,
                    name,
                )


@pytest.fixture
def ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program called ssh that runs the last argument as a shell would on the host."""
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return program


def test_silent_host_is_unreachable_with_a_hint(ssh: Path) -> None:
    ssh.write_text("#!/bin/sh\necho 'root@10.0.0.5: Permission denied (publickey).' >&2; exit 255\n")
    with pytest.raises(HostUnreachable) as error:
        open_conversation(WEB1)
    assert error.value.host == "web1"
    assert error.value.status == 255
    assert "Permission denied" in error.value.message
    assert "authorized_keys" in error.value.hint
    assert "hashlib" not in " ".join(error.value.argv), "the loader's text says nothing to people"


def test_host_that_prints_something_else_is_unreachable(ssh: Path) -> None:
    ssh.write_text("#!/bin/sh\necho Welcome to this machine\n")
    with pytest.raises(HostUnreachable, match="Welcome to this machine"):
        open_conversation(WEB1)


def test_conversation_that_breaks_off_says_so(ssh: Path) -> None:
    ssh.write_text("#!/bin/sh\necho have; echo '{\"hello\": {}}'; read line; echo dying >&2; exit 1\n")
    with open_conversation(WEB1) as conversation, pytest.raises(HostFailed) as error:
        conversation.request("status")
    assert error.value.code == "lost"
    assert error.value.lines == ("dying",)


def test_as_root_is_by_sudo_only_where_another_logs_in() -> None:
    assert root_argv(replace(WEB1, user="root"), ["logger", "a b"])[-1] == "logger 'a b'"
    assert root_argv(replace(WEB1, user="deploy"), ["logger", "a b"])[-1] == "sudo -n logger 'a b'"
