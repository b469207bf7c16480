"""What this computer must have for a lab, as Debian package names."""

import shutil
from pathlib import Path
from typing import Final

from bastide.lab.apt import ARCHIVE_KEYRING

_TOOLS: Final = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "mkfs.ext4": "e2fsprogs",
    "systemctl": "systemd",
    "journalctl": "systemd",
    "apt-get": "apt",
}
_KEYRING: Final = Path(ARCHIVE_KEYRING)


def missing_tools() -> list[str]:
    """Debian packages to install before a lab can be raised here, sorted; empty when nothing is missing."""
    # Root's tools are in sbin, which an ordinary user's PATH leaves out.
    path = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
    packages = {package for tool, package in _TOOLS.items() if shutil.which(tool, path=path) is None}
    if not _KEYRING.exists():
        packages.add("debian-archive-keyring")
    return sorted(packages)
