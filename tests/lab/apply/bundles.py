"""A small bundle made by hand: nginx with one site, a user, a unit of its own, an oneshot and a release."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

from bastide.bundle.assemble import assemble_bundle
from bastide.bundle.model import HostBundle
from bastide.products import nginx
from bastide.products.fragment import Archive, Check, Directory, File, Fragment, Probe, Unit, User

CANARY = "canary-7f3a9c51e2"
"""Stands in a secret file; must be seen nowhere else."""

_NGINX_UNIT = """\
[Unit]
Description=web server
After=network.target
[Service]
Type=forking
PIDFile=/run/nginx.pid
ExecStart=/usr/sbin/nginx -c /etc/bastide/nginx/nginx.conf
ExecReload=/bin/sh /etc/bastide/nginx/reload.sh $MAINPID
KillMode=mixed
[Install]
WantedBy=multi-user.target
"""
_NGINX_CONF = """\
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  server {{
    listen {listen};
    location / {{ return 200 "{text}\\n"; }}
    location /release/ {{ alias {release}/; }}
  }}
}}
"""
_RELOAD = (Path(nginx.__file__).parent / "reload.sh.j2").read_bytes()
"""As on real hosts: an asynchronous reload would let a test be answered by the configuration before."""
_WORKER_UNIT = """\
[Unit]
Description=worker
[Service]
User=shopworker
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""
_SETUP_UNIT = """\
[Unit]
Description=setup
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo run >> /var/lib/shop/setups'
[Install]
WantedBy=multi-user.target
"""


def make_release(folder: Path) -> Archive:
    """Pack a release into the folder that stands for the blob store."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("hello.txt")
        info.size, info.mode = 5, 0o644
        tar.addfile(info, io.BytesIO(b"hello"))
    content = packed.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    (folder / digest).write_bytes(content)
    return Archive(path=f"/srv/bastide/static-0/{digest[:16]}", digest=digest, size=len(content))


def web_fragment(
    release: Archive, *, text: str = "hello", listen: str = "8080", probe_port: int = 8080
) -> Fragment:
    """nginx with one site."""
    conf = _NGINX_CONF.format(text=text, listen=listen, release=release.path).encode()
    # Where nothing listens the answer is known at once; where nginx does, a busy machine may take a while to start it.
    patience_s = 20.0 if str(probe_port) == listen else 2.0
    return Fragment(
        product="nginx",
        packages=("nginx-light",),
        archives=(release,),
        files=(
            File(path="/etc/bastide/nginx/nginx.conf", content=conf),
            File(path="/etc/bastide/nginx/reload.sh", content=_RELOAD),
            File(
                path="/etc/bastide/nginx/key.pem", content=f"{CANARY}\n".encode(), mode=0o640, group="www-data",
                secret=True,
            ),
            File(path="/etc/systemd/system/nginx.service", content=_NGINX_UNIT.encode()),
        ),
        units=(Unit(name="nginx.service", reload_on=("/etc/bastide/nginx",), restart_on=(release.path,)),),
        checks=(
            Check(name="nginx", argv=("nginx", "-t", "-q", "-c", "/etc/bastide/nginx/nginx.conf"), network=True),
            Check(
                name="units",
                argv=("systemd-analyze", "verify", "/etc/systemd/system/nginx.service"),
                quiet=True,
            ),
        ),
        probes=(
            Probe(name="site", argv=("curl", "-fsS", f"http://127.0.0.1:{probe_port}/"), timeout_s=patience_s),
            Probe(name="release", argv=("curl", "-fsS", "http://127.0.0.1:8080/release/hello.txt"), timeout_s=20.0),
        ),
        sysctls={"net.ipv4.ip_nonlocal_bind": "1"},
    )  # fmt: skip


def worker_fragment() -> Fragment:
    """A unit with a user and a directory, and an oneshot."""
    return Fragment(
        product="worker",
        users=(User(name="shopworker", groups=("www-data",)),),
        directories=(Directory(path="/var/lib/shop", mode=0o750, owner="shopworker", group="shopworker"),),
        files=(
            File(path="/etc/systemd/system/worker.service", content=_WORKER_UNIT.encode()),
            File(path="/etc/systemd/system/setup.service", content=_SETUP_UNIT.encode()),
            File(path="/etc/bastide/setup/input", content=b"1\n"),
        ),
        units=(
            Unit(name="setup.service", kind="oneshot", restart_on=("/etc/bastide/setup",)),
            Unit(name="worker.service"),
        ),
    )


def web_bundle(host: str, release: Archive, *extra: Fragment, **site: object) -> HostBundle:
    """The whole bundle."""
    return assemble_bundle(host, [web_fragment(release, **site), *extra])  # type: ignore[arg-type]


def with_file(fragment: Fragment, path: str, content: bytes) -> Fragment:
    """The fragment with another content of one file."""
    files = tuple(replace(f, content=content) if f.path == path else f for f in fragment.files)
    return replace(fragment, files=files)
