"""`bastide trust`: look at the servers' host keys, and record them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bastide.cli.options import Options, print_json, with_options

if TYPE_CHECKING:
    from bastide.project.trust import ShownKey


@click.command("trust")
@with_options
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--replace", is_flag=True, help="Also record a key that is another than the recorded one.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(options: Options, hosts: tuple[str, ...], as_json: bool, replace: bool, yes: bool) -> int:
    """Show the fingerprints of the servers' host keys and record them: nothing else is taken for these hosts then.

    Compare them with what the provider's console shows (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub).
    """
    from bastide.cli.hosts import check_hosts
    from bastide.project.servers import server_endpoints
    from bastide.project.target import servers_target
    from bastide.project.trust import in_order, look_at_keys, record_keys

    target = servers_target(options.project())
    check_hosts(target, hosts)
    known_hosts = target.state / "ssh" / "known_hosts"
    shown: list[ShownKey] = []
    refused = False
    rounds = len(in_order(target.endpoints))
    for number in range(rounds):
        # Read again: the jump hosts of the last round are known by now.
        endpoints = server_endpoints(target.spec, known_hosts)
        wanted = [e for e in in_order(endpoints)[number] if not hosts or e.host in hosts]
        seen = look_at_keys(wanted, known_hosts)
        shown += seen
        if not as_json:
            _print(seen)
        fresh = [key for key in seen if key.state == "new" or (key.state == "changed" and replace)]
        if fresh and not yes and not click.confirm(f"Are these the keys of {len(fresh)} hosts of yours?", err=True):
            refused = True
            break
        record_keys(fresh, known_hosts)
    if as_json:
        print_json({"version": 1, "hosts": [_json(key) for key in shown]})
    changed = [key.host for key in shown if key.state == "changed"]
    if changed and not replace:
        click.echo(
            f"error: {', '.join(changed)}: another key than the recorded one. If it was reinstalled: "
            f"bastide trust --replace {' '.join(changed)}",
            err=True,
        )
        return 1
    return 1 if refused or any(key.state == "unreachable" for key in shown) else 0


def _print(keys: tuple[ShownKey, ...]) -> None:
    width = max((len(key.host) for key in keys), default=0)
    for key in keys:
        said = key.message if key.state == "unreachable" else f"{key.kind} {key.fingerprint}"
        before = f" (on record: {key.recorded})" if key.recorded else ""
        click.echo(f"{key.host:<{width}}  {key.address}  {key.state:<11}  {said}{before}")


def _json(key: ShownKey) -> dict[str, str]:
    return {
        "name": key.host,
        "address": key.address,
        "state": key.state,
        "type": key.kind,
        "fingerprint": key.fingerprint,
        "recorded": key.recorded,
        "message": key.message,
    }
