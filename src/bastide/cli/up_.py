"""`bastide up`: the lab, from nothing to an address that answers."""

from __future__ import annotations

import click

from bastide.cli.options import Options, print_json, with_format, with_options

_LEAST_DISK = 2 << 30


@click.command("up")
@with_options
@with_format
@click.option("--disk", metavar="SIZE", help="New machines get disks of their own of this size (4G), to fill up.")
@click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")
def command(options: Options, disk: str | None, as_json: bool) -> int:
    """Raise the project as a lab on this computer, and print its address."""
    import os
    import time
    from datetime import UTC, datetime

    from bastide.apply.early import EarlyConversations
    from bastide.cli import exit_codes
    from bastide.cli.applying import apply_target
    from bastide.cli.progress import Progress
    from bastide.lab.addressing import local_domain
    from bastide.project.answering import await_answer
    from bastide.project.raising import publish_locally, raise_lab

    if os.geteuid() != 0:
        raise click.UsageError("a lab needs root (machines, bridges, mounts): run it with sudo.")
    disk_bytes = _size_of(disk) if disk else None
    started = time.monotonic()
    project = options.project()
    progress = Progress(options.progress)
    target = raise_lab(project, progress, now=datetime.now(UTC), disk_bytes=disk_bytes)
    with EarlyConversations() as early:
        result, _ = apply_target(target, progress, only=frozenset(), early=early)
    if not result.ok:
        return exit_codes.applied(result)
    assert target.lab is not None
    with progress.step("the address answers"):
        url = f"https://{local_domain(project.spec)}/"
        await_answer(url, address=str(target.lab.edge), ca=target.ca)
    published = publish_locally(project, target)
    elapsed = time.monotonic() - started
    if as_json:
        steps = [{"step": label, "seconds": round(seconds, 3)} for label, seconds in progress.durations]
        facts = {"lab": project.lab_name, "url": url, "ca": str(target.ca), "address": str(target.lab.edge)}
        print_json({"version": 1, **facts, "seconds": round(elapsed, 3), "steps": steps})
        return 0
    progress.note(f"Up in {elapsed:.1f} s: " + " · ".join(f"{label} {s:.1f} s" for label, s in progress.durations))
    click.echo(url)
    progress.note(f"CA certificate (import it into your browser): {target.ca}")
    if not published:
        progress.note(f"Another lab has that name on this computer; reach this one at {target.lab.edge}.")
    progress.note("Next: bastide status · bastide exec client -- curl -s " + url)
    return 0


def _size_of(disk: str) -> int:
    from bastide.spec.values import BadValue, parse_size

    try:
        size = parse_size(disk)
    except BadValue as error:
        raise click.UsageError(f"--disk: {error}") from error
    if size < _LEAST_DISK:
        raise click.UsageError(f"--disk: {disk} is too small for a host: 2G at least")
    return size
