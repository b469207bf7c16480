"""NginxView -> Fragment: files, unit, check and probes.

In: a HostContext. Out: nginx's part of that host.
Holds: a reload takes every change but that of the unit.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.policy.identities import Identity
from bastide.products.context import HostContext
from bastide.products.dead_peers import dead_peer_sysctls
from bastide.products.fragment import Archive, Check, Directory, File, Fragment, Probe, Unit
from bastide.products.nginx.application import app_draining
from bastide.products.nginx.quoting import quote_path, quote_prefix, quote_string
from bastide.products.nginx.view import CONFIG, LOGS, Listener, MonitorBlock, NginxView, derive_view
from bastide.products.probes import expect_status
from bastide.products.templates import render_template

UNIT = "/etc/systemd/system/nginx.service"
LOGROTATE = "/etc/logrotate.d/bastide-nginx"
_FILTERS = {"quoted": quote_string, "path_quoted": quote_path, "route_pattern": quote_prefix}

# nginx -t opens its logs, its pid file and its sockets: below tmpfs it cannot touch those of the running nginx, nor
# needs directories that only the activation makes. The check's mount namespace is private.
_CHECK = f"""\
for folder in /run /var/log /var/cache; do mount -t tmpfs tmpfs $folder || exit 1; done
mkdir -p /run/nginx {LOGS} /var/cache/nginx
exec nginx -t -q -e stderr -c {CONFIG}/nginx.conf"""


def render(context: HostContext) -> Fragment:
    """nginx on that host."""
    view = derive_view(context)
    return Fragment(
        product="nginx",
        packages=("nginx", "curl", "logrotate"),
        directories=(Directory(path=LOGS),),
        archives=tuple(_archives(context)),
        files=(*_configuration(view), *_keys(context, view), *_system_files(view)),
        units=(Unit(name="nginx.service", reload_on=(f"{CONFIG}/",), **app_draining(context, listener=True)),),
        checks=(Check(name="nginx -t", argv=("sh", "-c", _CHECK), network=True),),
        probes=(
            *(_probe(context, listener) for listener in view.listeners),
            *(_monitor_probes(context, view.monitor) if view.monitor else ()),
        ),
        sysctls=dead_peer_sysctls(context) if view.web else {},
    )


def _print(template: str, view: NginxView) -> bytes:
    return render_template(__package__, template, view, filters=_FILTERS).encode()


def _configuration(view: NginxView) -> Iterator[File]:
    names = ["nginx.conf", "reload.sh"]
    if view.web:
        names.append("web.conf")
    if view.app:
        names += ["app.conf", "health.conf", *(["php.conf"] if view.app.application.php else [])]
    if view.monitor:
        names.append("monitor.conf")
    if view.proxies:
        names.append("forward.conf")
    for name in names:
        yield File(path=f"{CONFIG}/{name}", content=_print(f"{name}.j2", view))


def _keys(context: HostContext, view: NginxView) -> Iterator[File]:
    roles = [listener.role for listener in view.listeners if listener.mtls] + (["monitor"] if view.monitor else [])
    if roles:
        yield File(path=f"{CONFIG}/ca.crt", content=context.materials.trust_anchor_pem.encode())
    pairs = {role: context.key_pair(role) for role in roles}
    if view.monitor:
        pairs["dashboard"] = context.materials.dashboards[context.host.name]
    for role, pair in pairs.items():
        yield File(path=f"{CONFIG}/{role}.crt", content=pair.certificate_pem.encode())
        yield File(
            path=f"{CONFIG}/{role}.key",
            content=pair.key_pem.encode(),
            mode=0o640,
            group="www-data",
            secret=True,
        )


def _system_files(view: NginxView) -> Iterator[File]:
    yield File(path=UNIT, content=_print("nginx.service.j2", view))
    yield File(path=LOGROTATE, content=_print("logrotate.j2", view))


def _archives(context: HostContext) -> Iterator[Archive]:
    if "web" not in context.host.roles:
        return
    names = [f"static-{index}" for index in range(len(context.spec.web.static))]
    if context.spec.app.kind == "static":
        names.append("app")
    for name in names:
        release = context.materials.releases[name]
        path = f"/srv/bastide/{name}/{release.digest}"
        yield Archive(path=path, digest=release.digest, size=release.size)


def _probe(context: HostContext, listener: Listener) -> Probe:
    """The listener answers on the private address, with its certificate, and refuses who is not of its flow.

    The host has no key of a peer. Its own certificate of the listener's role is a good one of the wrong role: to be
    told 403 proves the listener, its certificate, the trust anchor and the wall behind it in one request.
    """
    if not listener.mtls:
        allowed = str(context.host.private) in listener.accepted
        argv = expect_status(200 if allowed else 403, f"http://{listener.endpoint}/.bastide/live")
        return Probe(name=f"{listener.role} listener answers", argv=argv)
    argv = expect_status(403, *_with_certificate(listener.role), *_live(context, listener.role, listener.endpoint))
    return Probe(name=f"{listener.role} listener answers and refuses a wrong role", argv=argv)


def _monitor_probes(context: HostContext, monitor: MonitorBlock) -> Iterator[Probe]:
    yield Probe(
        name="the listener for hosts answers and refuses a wrong role",
        argv=expect_status(403, *_with_certificate("monitor"), *_live(context, "monitor", monitor.ingest)),
    )
    yield Probe(
        name="the listener of the dashboard answers",
        argv=expect_status(200, *_live(context, "monitor", monitor.dashboard)),
    )


def _with_certificate(role: str) -> tuple[str, ...]:
    return ("--cert", f"{CONFIG}/{role}.crt", "--key", f"{CONFIG}/{role}.key")


def _live(context: HostContext, role: str, endpoint: str) -> tuple[str, ...]:
    """curl's arguments for the listener's own answer, its certificate verified."""
    name = Identity(role=role, host=context.host.name).dns_name(context.topology.internal_domain)
    address, port = endpoint.rsplit(":", 1)
    return (
        *("--cacert", f"{CONFIG}/ca.crt"),
        *("--resolve", f"{name}:{port}:{address}"),
        f"https://{name}:{port}/.bastide/live",
    )
