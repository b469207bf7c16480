"""Rules of sshd and of what services show or take.

In: a Subject. Out: hits.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.audit.rule import Hit, Rule, SetValue, Subject
from bastide.audit.snippets import haproxy_directives, nginx_directives
from bastide.spec.errors import dotted


def _soft_ssh(subject: Subject) -> Iterator[Hit]:
    if not subject.spec.system.harden_ssh:
        at = ("system", "harden_ssh")
        message = "sshd stays as the system has it: passwords, old algorithms and forwarding may be allowed"
        yield Hit(element="system.harden_ssh", message=message, at=at, edits=(SetValue(path=at, yaml="true"),))


def _root_login(subject: Subject) -> Iterator[Hit]:
    by_root = [name for name, host in subject.spec.hosts.items() if (host.ssh or subject.spec.ssh).user == "root"]
    if by_root:
        message = f"Administrators log in as root on {len(by_root)} hosts: nobody can say who did what"
        yield Hit(element="ssh.user", message=message, at=("ssh", "user"))


def _boundless_app(subject: Subject) -> Iterator[Hit]:
    if not subject.has_app or subject.spec.app.memory_max is not None:
        return
    for name in subject.hosts("app"):
        others = [r for r in subject.spec.hosts[name].roles if r in ("database", "balancer", "monitor")]
        if others:
            at = ("app", "memory_max")
            message = (
                f"The application on {name} may take all memory, and the {' and '.join(others)} dies beside it"
            )
            yield Hit(element=name, message=message, at=at, edits=(SetValue(path=at, yaml="1G"),))


def _ships_history(subject: Subject) -> Iterator[Hit]:
    app = subject.spec.app
    if ".git" not in app.exclude:
        at = ("app", "exclude")
        kept = ", ".join(f'"{name}"' for name in (*app.exclude, ".git"))
        message = "The list of what is not shipped leaves out `.git`: all versions of the code go to the hosts"
        yield Hit(element="app.exclude", message=message, at=at, edits=(SetValue(path=at, yaml=f"[{kept}]"),))


def _status_page(subject: Subject) -> Iterator[Hit]:
    for line in (*haproxy_directives(subject.spec), *nginx_directives(subject.spec)):
        if line.starts("stats", "enable") or line.starts("stats", "uri") or line.starts("stub_status"):
            message = f"`{line.text}` shows visitors which servers there are and how they are"
            yield Hit(element=dotted(line.at), message=message, at=line.at)


def _admin_socket(subject: Subject) -> Iterator[Hit]:
    for line in haproxy_directives(subject.spec):
        if line.starts("stats", "socket") and (line.has("level", "admin") or ":" in line.words[2]):
            message = f"`{line.text}` lets whoever reaches it reconfigure the balancer"
            yield Hit(element=dotted(line.at), message=message, at=line.at)
        elif line.starts("stats", "admin"):
            message = f"`{line.text}` lets visitors switch servers off"
            yield Hit(element=dotted(line.at), message=message, at=line.at)


def _lists_folders(subject: Subject) -> Iterator[Hit]:
    for line in nginx_directives(subject.spec):
        if line.starts("autoindex", "on"):
            message = f"`{line.text}` lists every file of a folder, those that nobody should know of too"
            yield Hit(element=dotted(line.at), message=message, at=line.at)


def _tells_versions(subject: Subject) -> Iterator[Hit]:
    for line in nginx_directives(subject.spec):
        if line.starts("server_tokens", "on") or line.starts("server_tokens", "build"):
            message = f"`{line.text}` tells everybody which version, and so which flaws, to try"
            yield Hit(element=dotted(line.at), message=message, at=line.at)


SERVICE_RULES = (
    Rule(
        id="SSH001",
        title="sshd is not hardened",
        severity="high",
        why="A password can be guessed from anywhere that reaches the port; a key cannot.",
        fix="Remove `harden_ssh: false`: keys only, modern algorithms only.",
        check=_soft_ssh,
    ),
    Rule(
        id="SSH002",
        title="Administrators log in as root",
        severity="low",
        why="Logs then say that root did it. With a user of their own and sudo, they say who.",
        fix="Name a user with password-less sudo: `ssh: {user: deploy}`.",
        check=_root_login,
        servers_only=True,
    ),
    Rule(
        id="SVC001",
        title="The application may take all memory of a shared host",
        severity="medium",
        why="A leak, or one large request, and the kernel ends the largest process: often the database.",
        fix="Give it a limit, `app: {memory_max: 1G}`, or hosts of its own.",
        check=_boundless_app,
    ),
    Rule(
        id="SVC002",
        title="The code's history is shipped",
        severity="medium",
        why="Old versions hold what was removed for good reason: keys, tests, comments.",
        fix="Add `.git` to `app.exclude`.",
        check=_ships_history,
    ),
    Rule(
        id="SVC003",
        title="A status page for everybody",
        severity="medium",
        why="It tells names, addresses and load of what stands behind: where an attack would hurt.",
        fix="Remove the lines; the monitor has all of these figures.",
        check=_status_page,
    ),
    Rule(
        id="SVC004",
        title="A way to control the balancer",
        severity="high",
        why="Through it servers are switched off and traffic is sent elsewhere, past every file.",
        fix="Remove the line.",
        check=_admin_socket,
    ),
    Rule(
        id="SVC005",
        title="Folders are listed",
        severity="medium",
        why="Backups, drafts and forgotten files are found by whoever looks.",
        fix="Remove `autoindex on`.",
        check=_lists_folders,
    ),
    Rule(
        id="SVC006",
        title="Versions are told to everybody",
        severity="low",
        why="A scanner that knows the version tries only what works.",
        fix="Remove `server_tokens on`.",
        check=_tells_versions,
    ),
)
