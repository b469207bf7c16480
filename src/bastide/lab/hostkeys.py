"""SSH host keys of the machines, kept on this computer so that they can be checked from the first connection.

In: a directory and names. Out: `<dir>/<name>` (mode 0600) and `<dir>/<name>.pub`, Ed25519. Holds: a key
that exists is never replaced; a half-made pair is made anew.
"""

from pathlib import Path

from bastide.lab.command import run


def ensure_host_key(directory: Path, machine: str) -> tuple[str, str]:
    """The machine's host key: private and public text."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    private, public = directory / machine, directory / f"{machine}.pub"
    if not (private.exists() and public.exists()):
        draft = directory / f".{machine}.new"
        for leftover in (draft, draft.with_name(f"{draft.name}.pub")):
            leftover.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", machine, "-f", str(draft)])
        draft.with_name(f"{draft.name}.pub").rename(public)
        draft.rename(private)
    private.chmod(0o600)
    return private.read_text(), public.read_text()
