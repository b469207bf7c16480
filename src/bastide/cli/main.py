"""The command line: one file a verb, loaded when it is called.

`bastide --help` must answer at once, so this module imports click and nothing of ours that is heavy.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from bastide import __version__

VERBS: dict[str, str] = {
    "init": "Begin a project: write a commented bastide.yaml from a preset.",
    "config": "Print the resolved spec, with where each value comes from.",
    "audit": "Find the weaknesses of the design, before it is built.",
    "up": "Raise the project as a lab on this computer, and print its address.",
    "down": "Stop the lab; its state is kept.",
    "destroy": "Remove the lab without a trace.",
    "plan": "Show what apply would change on which host.",
    "trust": "Show and record the host keys of your servers.",
    "apply": "Make the hosts what the spec says.",
    "rollback": "Bring hosts back to how an earlier apply left them.",
    "history": "Show who applied what, when, from which commit.",
    "decommission": "Take what is ours off a host that left the spec.",
    "status": "Show hosts and services, and whether they are healthy.",
    "verify": "Prove each claim on the running system: walls, wires, TLS, database, hosts.",
    "drill": "Break the running system under load, and count what was lost.",
    "top": "Show requests, errors, latencies and load of every tier, live.",
    "dashboard": "Print the dashboard's address, with a login that can be used once.",
    "db": "Show the database and change who is its primary: status, switchover, failover, reinit, pause, resume.",
    "exec": "Run a command on a host.",
    "ssh": "Log in to a host.",
    "explain": "Tell in prose why each part is there and what happens when it dies; or explain a rule or an error's code.",
    "diagram": "Draw the infrastructure: in the terminal, or as SVG, PNG, Mermaid or draw.io.",
    "logs": "Show logs of a host or service, or search those of all hosts.",
    "lab": "Break and mend lab machines: kill, start, cut, heal, freeze, thaw, list.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = import_module(f"bastide.cli.{cmd_name}_")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from difflib import get_close_matches

            near = get_close_matches(args[0], VERBS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else " See bastide --help."
            raise click.UsageError(f"There is no verb '{args[0]}'.{hint}", ctx) from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="bastide")
def group() -> None:
    """One YAML file becomes a complete, secured, monitored web infrastructure.

    Begin with: bastide init --preset resilient, then bastide up.
    """


def main() -> None:
    """Run a verb. Exit codes: 0 done, 1 failed, 2 bad usage or bad spec, 3 findings or changes."""
    # `su` leaves root without them; the tools that build images and networks are there.
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    try:
        code = group.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("interrupted; run the same command again to finish", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the edge of the process: every failure becomes one message
        from bastide.cli.failures import report_failure

        sys.exit(report_failure(error))
    sys.exit(code if isinstance(code, int) else 0)
