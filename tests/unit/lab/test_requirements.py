"""What this computer lacks."""

from pathlib import Path

import pytest

from bastide.lab import requirements


def test_what_is_missing_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    present = {"ip", "ssh", "unshare", "setpriv", "mount", "mkfs.ext4", "systemctl", "journalctl", "apt-get"}

    def which(tool: str, path: str) -> str | None:
        return f"/usr/bin/{tool}" if tool in present else None

    monkeypatch.setattr("shutil.which", which)
    monkeypatch.setattr(requirements, "_KEYRING", Path("/absent"))
    assert requirements.missing_tools() == [
        "debian-archive-keyring",
        "mmdebstrap",
        "openssh-client",
        "systemd-container",
    ]
