"""`bastide dashboard`: the dashboard's address, with a login that can be used once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bastide.cli.options import Options, print_json, with_options

if TYPE_CHECKING:
    import subprocess

    from bastide.project.target import Target

_CONNECT_S = 2.0
_TUNNEL_S = 15.0


@click.command("dashboard")
@with_options
@click.option("--operator", is_flag=True, help="A session that may silence and acknowledge alerts, not only look.")
@click.option("--monitor", metavar="HOST", help="Of this monitor; by default the first that answers.")
@click.option("--tunnel", "by_tunnel", is_flag=True, help="Through a tunnel, even if the monitor can be reached.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(options: Options, operator: bool, monitor: str | None, by_tunnel: bool, as_json: bool) -> int:
    """Print the dashboard's address with a one-time login, which counts for five minutes.

    Where the monitor cannot be reached from here, a tunnel over SSH is opened and kept until Ctrl-C.
    """
    from urllib.parse import urlsplit

    from bastide.policy.identities import tunnel_name
    from bastide.project.monitoring import ask_hub, monitor_names

    target = options.chosen_target()
    if monitor is not None and monitor not in monitor_names(target):
        raise click.UsageError(
            f"'{monitor}' is no monitor; there are: {', '.join(monitor_names(target)) or 'none'}"
        )
    role = "operator" if operator else "viewer"
    name, made = ask_hub(target, "token", role, of=[monitor] if monitor else ())
    at = urlsplit(made["url"])
    address, port = at.hostname or "", at.port or 443
    tunnel = None
    url = made["url"]
    if by_tunnel or not _reachable(address, port):
        tunnel, local = _open_tunnel(target, name, address, port)
        # A name that the monitor's certificate says, and that every browser leads to this computer.
        url = at._replace(netloc=f"{tunnel_name(target.spec.name, name)}:{local}").geturl()
    if as_json:
        print_json(
            {
                "version": 1,
                "monitor": name,
                "url": url,
                "role": role,
                "expires_s": made["expires_s"],
                "ca": str(target.ca),
                "tunnel": tunnel is not None,
            }
        )
    else:
        click.echo(url)
        click.echo(f"one login as {role}, within {made['expires_s'] / 60:.0f} minutes · CA {target.ca}", err=True)
    if tunnel is None:
        return 0
    click.echo(f"a tunnel leads to {name}; Ctrl-C closes it", err=True)
    try:
        return 1 if tunnel.wait() else 0
    except KeyboardInterrupt:
        return 0
    finally:
        tunnel.terminate()
        tunnel.wait()


def _reachable(address: str, port: int) -> bool:
    import socket

    try:
        socket.create_connection((address, port), timeout=_CONNECT_S).close()
    except OSError:
        return False
    return True


def _open_tunnel(target: Target, monitor: str, address: str, port: int) -> tuple[subprocess.Popen[bytes], int]:
    """ssh with a local port that leads to the monitor's own. Raises HostUnreachable."""
    import socket
    import subprocess
    import time

    from bastide.transport.endpoint import ssh_argv
    from bastide.transport.errors import HostUnreachable

    with socket.create_server(("127.0.0.1", 0)) as free:
        local: int = free.getsockname()[1]
    first, *rest = ssh_argv(target.endpoint(monitor), fresh=True)
    there = f"[{address}]" if ":" in address else address
    argv = [first, "-N", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{local}:{there}:{port}", *rest]
    # A group of its own: Ctrl-C is for us to handle, not for ssh to die of.
    tunnel = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + _TUNNEL_S
    while time.monotonic() < deadline and tunnel.poll() is None:
        if _reachable("127.0.0.1", local):
            return tunnel, local
        time.sleep(0.1)
    tunnel.terminate()
    raise HostUnreachable(
        monitor,
        f"no tunnel to {address} port {port} came about",
        argv=argv,
        status=tunnel.wait(),
        lines=(),
        hint="Does `bastide ssh` to that monitor work?",
    )
