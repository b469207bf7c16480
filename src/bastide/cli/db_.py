"""`bastide db`: who is primary, and orders to the keepers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bastide.cli.options import Options, print_json, with_options

if TYPE_CHECKING:
    from bastide.project.database import DatabaseState


@click.group("db")
def command() -> None:
    """Show the database and change who is its primary."""


@command.command("status")
@with_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(options: Options, as_json: bool) -> int:
    """Show primary, standby and lag. Exit code 1 when there is no primary, or nobody stands by."""
    state = _observed(options)
    if as_json:
        print_json(state.to_json())
    else:
        _print(state)
    alone = state.mode == "replication" and not any(m.sync and m.role == "replica" for m in state.members)
    return 1 if state.primary is None or alone else 0


def _order(name: str, summary: str, question: str, *, replica: bool = False) -> None:
    @command.command(name, help=summary)
    @with_options
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @click.argument("host", required=replica, nargs=1 if replica else -1, metavar="HOST" if replica else "")
    def verb(options: Options, yes: bool, host: str | tuple[str, ...]) -> int:
        from bastide.project.database import OrderRefused, give_order

        if not replica and host:
            raise click.UsageError(f"'{name}' takes no host: the keepers know who is primary and who stands by")
        target, state = options.chosen_target(), _observed(options)
        _refuse_manual(state)
        if replica:
            _refuse_unknown(state, str(host))
        asked = (
            str(host)
            if replica
            else state.primary or next((m.host for m in state.members if m.role == "primary"), "")
        )
        if not asked and name != "switchover":
            # The primary is gone with its host: whoever stood by may take over, if told to.
            answering = [m for m in state.members if m.state != "silent"]
            asked = next((m.host for m in sorted(answering, key=lambda m: not m.sync)), "")
        if not asked:
            raise OrderRefused("there is no primary to ask")
        if question and not yes:
            click.confirm(question.format(host=asked), abort=True, err=True)
        click.echo(give_order(target, asked, name))
        return 0


_order("switchover", "Let the standby take over in order: no write is lost, writes pause for a moment.", "")
_order(
    "failover",
    "Kill the primary's server and let the standby take over. Refused where writes would be lost.",
    "Kill the database server on {host}?",
)
_order(
    "reinit",
    "Copy a replica anew from the primary.",
    "Replace the data on {host} by a copy of the primary's?",
    replica=True,
)
_order("pause", "No automatic failover until `resume`.", "")
_order("resume", "Automatic failover again; the next is not held for those before (failover_hold).", "")


@command.command("abandon")
@with_options
@click.option("--confirm", "typed", metavar="HOST", help="The host's name once more, where nobody can be asked.")
@click.argument("host", metavar="HOST")
def abandon(options: Options, typed: str | None, host: str) -> int:
    """Go on without a primary that is lost for ever. Acknowledged writes that only it has are lost with it."""
    from bastide.project.database import OrderRefused, give_order

    target, state = options.chosen_target(), _observed(options)
    _refuse_manual(state)
    _refuse_unknown(state, host)
    left = next((m for m in state.members if m.host != host and m.state != "silent"), None)
    if left is None:
        raise OrderRefused(f"no database host but {host} answers, so there is none to go on with", "bastide status")
    warning = (
        f"{left.host} goes on with what it has (position {left.position or 'unknown'}). What was acknowledged and is "
        f"on {host} alone is lost, unless that host comes back and you save it from there."
    )
    _require_name("abandon", host, typed, warning, "Type the lost host's name to go on")
    click.echo(give_order(target, left.host, "abandon"))
    return 0


@command.command("readmit")
@with_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("host", metavar="HOST")
def readmit_voter(options: Options, yes: bool, host: str) -> int:
    """Let a voter take part again whose etcd lost its data, or that is a new machine."""
    from bastide.project.readmit import readmit

    target, state = options.chosen_target(), _observed(options)
    _refuse_manual(state)
    if not yes:
        question = f"Put aside what etcd has on {host}, and let it join the voters anew?"
        click.confirm(question, abort=True, err=True)
    click.echo(readmit(target, host, lambda words: click.echo(f"  {words}", err=True)))
    return 0


@command.command("force-quorum")
@with_options
@click.option("--confirm", "typed", metavar="HOST", help="The host's name once more, where nobody can be asked.")
@click.argument("host", metavar="HOST")
def force_quorum_on(options: Options, typed: str | None, host: str) -> int:
    """Most voters are lost for ever: let one that is left decide alone, until `readmit` lets others in."""
    from bastide.project.quorum import force_quorum, survey

    target, state = options.chosen_target(), _observed(options)
    _refuse_manual(state)
    left = survey(target, host)
    warning = (
        f"{left.describe()}. {host} goes on with what it knows of the vote. Should others of them still run, where they "
        "reach each other and not this one, there would be two databases that take writes."
    )
    _require_name("force-quorum", host, typed, warning, f"Type {host} if the others are lost for ever")
    click.echo(force_quorum(target, host))
    click.echo(
        "Next: bastide db status; then, for each new machine: bastide db readmit HOST; bastide apply --only HOST"
    )
    return 0


def _require_name(verb: str, host: str, typed: str | None, warning: str, question: str) -> None:
    """Whoever orders this has read what it costs, or typed the name beforehand. Raises OrderRefused."""
    from bastide.project.database import OrderRefused

    if typed is None and sys.stdin.isatty():
        click.echo(warning, err=True)
        typed = click.prompt(question, default="", show_default=False, err=True)
    if typed != host:
        raise OrderRefused(
            f"nothing was changed: the name was not given. {warning}", f"bastide db {verb} {host} --confirm {host}"
        )


def _refuse_manual(state: DatabaseState) -> None:
    from bastide.project.database import OrderRefused

    if state.failover == "manual":
        raise OrderRefused(
            "this database changes its primary by hand only",
            "set `database.failover: automatic`, then bastide apply",
        )


def _refuse_unknown(state: DatabaseState, host: str) -> None:
    names = [member.host for member in state.members]
    if host not in names:
        raise click.UsageError(f"'{host}' is no database host; there are: {', '.join(names)}")


def _observed(options: Options) -> DatabaseState:
    from bastide.project.database import observe_database

    state = observe_database(options.chosen_target())
    if state is None:
        raise click.UsageError("the spec has no database")
    return state


def _print(state: DatabaseState) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=400)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("host", "role", "state", "in sync", "lag", "position", ""):
        table.add_column(column, overflow="fold")
    for member in state.members:
        lag = "" if member.lag_s is None else f"{member.lag_s:g} s"
        sync = "yes" if member.sync else "no"
        message = member.message.replace("[", "\\[")
        table.add_row(member.host, member.role, member.state, sync, lag, member.position or "", message)
    console.print(table)
    paused = ", paused" if state.paused else ""
    held = f" · the next takeover waits {state.held_s:.0f} s (failover_hold; bastide db resume ends that)"
    console.print(
        f"primary {state.primary or 'NONE'} · epoch {state.epoch} · failover {state.failover}{paused}"
        f"{held if state.held_s else ''}",
        soft_wrap=True,
    )
