"""Machines that are servers and nothing else: SSH with a user's own agent, ~/.ssh/config and jump host.

The lab only raises them. What `bastide` is given is a spec with addresses: a login with sudo on a port of its own, no
root, one of them behind the other.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bastide.project.opening import open_project
from bastide.project.target import choose_target
from bastide.transport.ssh import close_kept_connection
from tests.lab.commands import Commands, process_environment
from tests.lab.machines_kit import SmallLab, small_lab
from tests.waiting import wait_for

pytestmark = pytest.mark.lab

LAB = "servers-tests"
PORT = 2222
_SPEC = """\
name: servers
domains: [servers-of-mine.org]
hosts:
  lb1: {{roles: [balancer], address: {lb1}, public: {public}, ssh: {{user: deploy, port: {port}, address: edge-by-name}}}}
  web1: {{roles: [web], address: {web1}, ssh: {{user: deploy, port: {port}, jump: lb1}}}}
  web2: {{roles: [web], address: {web2}}}
ssh: {{user: deploy, port: {port}}}
balancer: {{virtual_ip: none}}
firewall: {{admin: [{controller}/32]}}
system: {{unattended_upgrades: false, time_sync: false}}
app: {{kind: static, path: ./public}}
"""
_BARE = f"""
useradd --create-home --shell /bin/bash deploy
install -d -m 700 -o deploy -g deploy /home/deploy/.ssh
install -m 600 -o deploy -g deploy /root/.ssh/authorized_keys /home/deploy/.ssh/authorized_keys
echo 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy
echo 'Port {PORT}' >/etc/ssh/sshd_config.d/50-port.conf
systemctl restart ssh
"""
_BEHIND = """
nft 'add table inet behind'
nft 'add chain inet behind input {{ type filter hook input priority -5; }}'
nft 'add rule inet behind input tcp dport {port} ip saddr != {jump} drop'
"""


@dataclass(frozen=True, kw_only=True)
class Servers:
    """The servers, and somebody's computer: an agent, a ~/.ssh/config, a spec."""

    lab: SmallLab
    commands: Commands
    dot_ssh: Path

    def run(self, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """A verb, with ~/.ssh (ssh takes it from /etc/passwd, not from HOME) replaced for it alone."""
        home = Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".ssh"
        script = f'mkdir -p {home} && mount --bind "$0" {home} && exec "$@"'
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, str(self.dot_ssh), *self.commands.argv(*words)],
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            env={**process_environment(), "BASTIDE_TARGET": "servers"},
            timeout=400,
            check=False,
        )

    def address(self, name: str) -> str:
        return str(self.lab.machine(name).reachable_at)

    def fingerprint(self, name: str) -> str:
        """Of the key that the machine was given."""
        key = (self.lab.keys / "hosts" / f"{name}.pub").read_text().split()[1]
        return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(key)).digest()).decode().rstrip("=")

    def login(self, name: str, user: str) -> bool:
        """Whether that user gets in with the key, straight from this computer."""
        options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "StrictHostKeyChecking=no"]
        options += ["-o", "UserKnownHostsFile=/dev/null", "-i", str(self.lab.keys / "key"), "-p", str(PORT)]
        argv = ["ssh", *options, f"{user}@{self.address(name)}", "true"]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("servers")
    with small_lab(LAB, folder, "lb1", "web1", "web2") as lab:
        lab.up()
        for name in ("lb1", "web1", "web2"):
            lab.ask(name, _BARE if name != "web1" else _BEHIND.format(port=PORT, jump=_private(lab, "lb1")) + _BARE)
        (folder / "public").mkdir()
        (folder / "public" / "index.html").write_text("it works\n")
        spec = folder / "bastide.yaml"
        spec.write_text(
            _SPEC.format(
                lb1=_private(lab, "lb1"), public=lab.machine("lb1").public.ip,  # type: ignore[union-attr]
                web1=_private(lab, "web1"), web2=_private(lab, "web2"), port=PORT, controller=lab.networks.private[1],
            )
        )  # fmt: skip
        dot_ssh = folder / "dot-ssh"
        dot_ssh.mkdir(mode=0o700)
        shutil.copy(folder / "key", dot_ssh / "only_for_edge")
        (dot_ssh / "config").write_text(
            f"Host edge-by-name\n  HostName {_private(lab, 'lb1')}\n  IdentityFile {dot_ssh}/only_for_edge\n"
        )
        with agent(folder / "key"):
            yield Servers(lab=lab, commands=Commands(spec=spec), dot_ssh=dot_ssh)


def _private(lab: SmallLab, name: str) -> str:
    return str(lab.machine(name).private.ip)  # type: ignore[union-attr]


class agent:
    """An SSH agent that has the key."""

    def __init__(self, key: Path) -> None:
        self.key = key

    def __enter__(self) -> None:
        said = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
        pairs = (word.split("=", 1) for word in said.replace("\n", " ").split("; ") if "=" in word)
        self.found = {key.strip(): value for key, value in pairs}
        os.environ["SSH_AUTH_SOCK"] = self.found["SSH_AUTH_SOCK"]
        subprocess.run(["ssh-add", "-q", str(self.key)], check=True)

    def __exit__(self, *_: object) -> None:
        os.environ.pop("SSH_AUTH_SOCK", None)
        os.kill(int(self.found["SSH_AGENT_PID"]), 15)


def test_the_whole_way_from_bare_servers(servers: Servers) -> None:
    # Nobody has vouched for the keys: nothing is done, and the message says what to do.
    refused = servers.run("apply", "--yes")
    assert refused.returncode == 1
    assert "bastide trust" in refused.stderr, refused.stderr
    # Said no: nothing is recorded.
    declined = servers.run("trust", given="n\n")
    assert declined.returncode == 1
    assert servers.fingerprint("lb1") in declined.stdout
    assert servers.run("apply", "--yes").returncode == 1
    trusted = servers.run("trust", "--yes")
    assert trusted.returncode == 0, trusted.stderr + trusted.stdout
    for name in ("lb1", "web1", "web2"):
        line = next(line for line in trusted.stdout.splitlines() if line.startswith(f"{name} "))
        assert servers.fingerprint(name) in line and " new " in line, trusted.stdout
    applied = servers.run("apply", "--yes", "--json")
    assert applied.returncode == 0, applied.stderr
    assert {host["result"] for host in json.loads(applied.stdout)["hosts"]} == {"changed"}
    ca = json.loads(servers.run("status", "--json").stdout)["ca"]
    public = servers.lab.machine("lb1").public
    assert public is not None
    curl = ["curl", "-sS", "--max-time", "10", "--cacert", ca, "--resolve", f"servers-of-mine.org:443:{public.ip}"]
    # HAProxy may have begun before the web servers did, and takes them in when it asks them next.
    wait_for(
        lambda: subprocess.run(
            [*curl, "https://servers-of-mine.org/"], capture_output=True, text=True, check=False
        ),
        lambda page: page.stdout == "it works\n",
    )


def test_the_second_run_changes_nothing_and_logs_are_read(servers: Servers) -> None:
    again = servers.run("apply", "--yes", "--json")
    assert json.loads(again.stdout)["changes"] == 0, again.stderr
    wait_for(lambda: servers.run("status"), lambda status: status.returncode == 0)
    logs = servers.run("logs", "web1", "--lines", "5")
    assert logs.returncode == 0 and "web1" in logs.stdout, logs.stderr


def test_our_walls_leave_the_way_in_open_and_no_other(servers: Servers) -> None:
    assert servers.login("lb1", "deploy") and servers.login("web2", "deploy")
    assert not servers.login("lb1", "root"), "whoever applies as another user needs no root login"
    assert not servers.login("web1", "deploy"), "the control: web1 is reached through lb1 alone"
    assert servers.run("exec", "web1", "--", "id", "-un").stdout == "deploy\n"


def test_another_key_than_the_recorded_one_is_refused(servers: Servers) -> None:
    known = servers.run("trust", "--json")
    assert {host["state"] for host in json.loads(known.stdout)["hosts"]} == {"known"}
    remake = "sudo rm /etc/ssh/ssh_host_ed25519_key*; sudo ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key"
    assert servers.run("exec", "web2", "--", "sh", "-c", f"{remake}; sudo systemctl restart ssh").returncode == 0
    # What is kept open was checked when it was opened; only a new connection asks for the key again.
    close_kept_connection(choose_target(open_project(servers.commands.spec), "servers").endpoint("web2"))
    refused = servers.run("apply", "--yes")
    assert refused.returncode == 1
    assert "bastide trust --replace web2" in refused.stderr, refused.stderr
    shown = servers.run("trust", "--yes")
    assert shown.returncode == 1 and "changed" in shown.stdout and servers.fingerprint("web2") in shown.stdout
    assert servers.run("trust", "--replace", "--yes", "web2").returncode == 0
    assert servers.run("apply", "--yes").returncode == 0
