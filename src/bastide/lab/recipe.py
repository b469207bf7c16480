"""How an image is built, as values: its key, the mmdebstrap command and the script that trims it.

In: a set of packages. Out: strings. Holds: the key changes whenever the result could, so `RECIPE_VERSION`
must be raised with every change of this file that changes an image.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bastide.lab.apt import SUITE

RECIPE_VERSION: Final = 1

# Documentation is a third of the files; libjs-moment-timezone (through prometheus) is 218 MB of test data.
_EXCLUDED_PATHS: Final = (
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/doc/*",
    "/usr/share/doc-base/*",
    "/usr/share/lintian/*",
    "/usr/share/javascript/moment-timezone/*",
    "/usr/share/nodejs/moment-timezone/*",
)
_ENABLED_UNITS: Final = ("ssh.service", "systemd-networkd.service", "systemd-networkd-wait-online.service")
# Pulled in statically or by timers, and useless in a container that lives for hours: each costs boot time or
# wakes all machines at once. Roles may still unmask what they need.
_MASKED_UNITS: Final = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "console-getty.service",
    "container-getty@.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@.service",
    "getty-static.service",
    "getty.target",
    "motd-news.timer",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-logind.service",
    "systemd-networkd.socket",
    "systemd-pstore.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
)


def image_key(packages: Sequence[str]) -> str:
    """Name of the image for these packages; their order and repetition do not matter."""
    text = "\n".join([f"recipe {RECIPE_VERSION}", f"suite {SUITE}", *sorted(set(packages))])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def build_command(
    packages: Sequence[str], *, target: Path, sources: Path, apt_options: Path, trim: Path
) -> list[str]:
    """The mmdebstrap command that fills `target`; `trim` is the script made by `trim_script`."""
    return [
        # Whoever asked may be killed: then the build dies whole (a process namespace), and at once.
        *(
            "setpriv",
            "--pdeathsig",
            "KILL",
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
        ),
        "mmdebstrap",
        "--mode=root",
        "--variant=apt",
        "--format=directory",
        f"--include={','.join(sorted(set(packages)))}",
        f"--aptopt={apt_options}",
        '--aptopt=Apt::Install-Recommends "false"',
        # An image that a power cut damaged is built again, so fsync buys nothing here.
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={path}" for path in _EXCLUDED_PATHS),
        # Before any package: nothing may start on this computer while its maintainer scripts run in a chroot.
        '--essential-hook=printf "#!/bin/sh\\nexit 101\\n" > "$1/usr/sbin/policy-rc.d"',
        '--essential-hook=chmod 755 "$1/usr/sbin/policy-rc.d"',
        f'--customize-hook=sh {trim} "$1"',
        SUITE,
        str(target),
        str(sources),
    ]


def trim_script() -> str:
    """A shell script (argument: the root) that leaves base and SSH enabled, and nothing machine-specific."""
    preset = "\\n".join([*(f"enable {unit}" for unit in _ENABLED_UNITS), "disable *"])
    return f"""\
set -eu
root=$1
mkdir -p "$root/etc/systemd/system-preset" "$root/etc/systemd/journald.conf.d" "$root/var/log/journal"
printf '{preset}\\n' > "$root/etc/systemd/system-preset/00-image.preset"
systemctl --root="$root" preset-all --quiet 2>/dev/null
rm "$root/etc/systemd/system-preset/00-image.preset"
# Init scripts without a unit of their own would be started by systemd-sysv-generator.
rm -f "$root"/etc/rc[S2-5].d/S*
systemctl --root="$root" set-default --quiet multi-user.target
systemctl --root="$root" mask --quiet {" ".join(_MASKED_UNITS)}
printf '[Journal]\\nStorage=persistent\\nSystemMaxUse=200M\\nRateLimitIntervalSec=0\\n' \\
  > "$root/etc/systemd/journald.conf.d/10-lab.conf"
# What is a machine's own is written when the machine is made.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf" "$root/usr/sbin/policy-rc.d"
rm -rf "$root"/etc/network "$root/root/.ssh" "$root"/var/log/journal/*
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
rm -rf "$root/etc/apt/sources.list.d" && mkdir "$root/etc/apt/sources.list.d"
echo 'deb http://deb.debian.org/debian {SUITE} main' > "$root/etc/apt/sources.list"
: > "$root/etc/machine-id"
# sshd's PAM warns about its absence at every login.
: > "$root/etc/default/locale"
"""
