"""The other tools, from PyPI in a virtual environment of their own, doing the same files on the same machines.

In: endpoints, and bundles as our compiler made them. Out: a folder with an Ansible playbook and a pyinfra deploy of the
same files (below a folder of their own on the hosts, so that nobody mends what another wrote), directories, users,
packages and units; command lines that apply it. Each is set up as its own manual says that it is fast: pipelining, kept
connections, no facts that nobody asked for, as many hosts at once as there are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bastide.bundle.model import HostBundle
from bastide.transport.endpoint import Endpoint

PACKAGES = ("ansible-core==2.18.6", "mitogen==0.3.24", "pyinfra==3.4.1")
FIRST = "Ansible + Mitogen"
"""Which of them meets the hosts first: the quicker of the two that read the same playbook."""
_ROOT = "/root/bench-peers"
_FORKS = "20"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One of them."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path

    def run(self) -> None:
        """Apply once. Raises CalledProcessError with what it said."""
        done = subprocess.run(
            self.argv, cwd=self.folder, env={**_outside(), **self.environment}, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{self.name}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def _outside() -> dict[str, str]:
    """This process's environment, as for our own runs: Python may keep what it compiled, and knows no path of ours."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}


def install(folder: Path) -> Path:
    """The virtual environment's programs; made once."""
    home = folder / "venv"
    mark = home / "installed"
    if not mark.is_file() or mark.read_text() != " ".join(PACKAGES):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(home / "bin/pip"), "install", "--quiet", *PACKAGES], check=True)
        mark.write_text(" ".join(PACKAGES))
    return home / "bin"


def write_project(folder: Path, endpoints: Mapping[str, Endpoint], bundles: Mapping[str, HostBundle]) -> None:
    """Inventory, contents, playbook and deploy; the folder is for its owner alone, since keys are in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    hosts: dict[str, Any] = {}
    for host, endpoint in endpoints.items():
        manifest = bundles[host].manifest
        for file in bundles[host].files:
            place = folder / "files" / host / file.path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.content)
        files = [
            {"path": _ROOT + f["path"], "source": str(folder / "files" / host / f["path"].lstrip("/")),
             "mode": f"{f['mode']:04o}", "owner": f["owner"], "group": f["group"]}
            for f in manifest["files"]
        ]  # fmt: skip
        hosts[host] = {
            "ansible_host": endpoint.address, "ansible_user": endpoint.user, "ansible_port": endpoint.port,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ssh_hostname": endpoint.address, "ssh_user": endpoint.user, "ssh_key": str(endpoint.identity_file),
            "ssh_known_hosts_file": str(endpoint.known_hosts),
            "ansible_ssh_private_key_file": str(endpoint.identity_file),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={endpoint.known_hosts} -o StrictHostKeyChecking=accept-new",
            "files": files,
            "folders": sorted({str(Path(f["path"]).parent) for f in files}),
            "users": [user["name"] for user in manifest["users"]],
            "packages": manifest["packages"],
            "units": [unit["name"] for unit in manifest["units"] if unit["kind"] == "service"],
        }  # fmt: skip
    inventory = {"all": {"hosts": hosts}}
    (folder / "inventory.json").write_text(json.dumps(inventory, indent=1))
    (folder / "hosts.json").write_text(json.dumps(hosts))
    (folder / "playbook.yml").write_text(_PLAYBOOK)
    (folder / "inventory.py").write_text(_INVENTORY)
    (folder / "deploy.py").write_text(_DEPLOY)


def change_one_file(folder: Path, host: str, bundle: HostBundle, number: int) -> None:
    """One line more in one file that every host has."""
    path = "etc/bastide/nftables/ruleset.nft"
    content = next(f.content for f in bundle.files if f.path == f"/{path}")
    (folder / "files" / host / path).write_bytes(content + f"# {number}\n".encode())


def peers(folder: Path, programs: Path) -> tuple[Peer, ...]:
    """Ansible, Ansible with Mitogen, pyinfra."""
    ansible = (str(programs / "ansible-playbook"), "-i", "inventory.json", "playbook.yml")
    site = next((programs.parent / "lib").glob("python*/site-packages"))
    common = {
        "ANSIBLE_FORKS": _FORKS, "ANSIBLE_PIPELINING": "True", "ANSIBLE_GATHERING": "explicit",
        "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOST_KEY_CHECKING": "True", "ANSIBLE_SSH_ARGS": _SSH_ARGS,
        "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    mitogen = {
        "ANSIBLE_STRATEGY_PLUGINS": str(site / "ansible_mitogen/plugins/strategy"),
        "ANSIBLE_STRATEGY": "mitogen_linear",
    }
    pyinfra = (str(programs / "pyinfra"), "-y", "--parallel", _FORKS, "inventory.py", "deploy.py")
    return (
        Peer(name="Ansible", argv=ansible, environment=common, folder=folder),
        Peer(name="Ansible + Mitogen", argv=ansible, environment={**common, **mitogen}, folder=folder),
        Peer(name="pyinfra", argv=pyinfra, environment={"LC_ALL": "C.UTF-8"}, folder=folder),
    )


_SSH_ARGS = "-o ControlMaster=auto -o ControlPersist=60s"
_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    # The apt module wants python3-apt, which small machines lack; asking dpkg is quicker, too.
    - name: packages
      command: {argv: "{{ ['dpkg-query', '--show', '--showformat=.'] + packages }}"}
      changed_when: false
    - name: users
      user: {name: "{{ item }}", system: true, shell: /usr/sbin/nologin}
      loop: "{{ users }}"
    - name: folders
      file: {path: "{{ item }}", state: directory, mode: "0755"}
      loop: "{{ folders }}"
    - name: files
      copy:
        src: "{{ item.source }}"
        dest: "{{ item.path }}"
        mode: "{{ item.mode }}"
        owner: "{{ item.owner }}"
        group: "{{ item.group }}"
      loop: "{{ files }}"
      loop_control: {label: "{{ item.path }}"}
    - name: units
      systemd: {name: "{{ item }}", state: started, enabled: true}
      loop: "{{ units }}"
"""
_INVENTORY = """\
import json, pathlib

hosts = [(name, data) for name, data in json.loads(pathlib.Path("hosts.json").read_text()).items()]
"""
_DEPLOY = """\
from pyinfra import host
from pyinfra.operations import apt, files, server, systemd

apt.packages(packages=list(host.data.packages), no_recommends=True)
for name in host.data.users:
    server.user(user=name, system=True, shell="/usr/sbin/nologin", create_home=False)
for path in host.data.folders:
    files.directory(path=path, mode="755")
for file in host.data.files:
    files.put(src=file["source"], dest=file["path"], mode=file["mode"].lstrip("0"), user=file["owner"], group=file["group"])
for name in host.data.units:
    systemd.service(service=name, running=True, enabled=True)
"""
