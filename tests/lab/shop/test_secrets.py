"""What was generated to be secret is nowhere but where it must be; every search finds a decoy planted for it."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import pytest

from tests.lab.commands import Commands
from tests.lab.shop.conftest import Raised

pytestmark = pytest.mark.lab

_SEARCH = """
umask 077; patterns=$(mktemp); cat >$patterns <<'END'
{patterns}
END
echo {decoy} | systemd-cat; journalctl --sync
echo {decoy} >/var/lib/bastide/decoy; chmod 644 /var/lib/bastide/decoy
echo "journal $(journalctl --no-pager -o cat | grep -c -F -f $patterns)"
find /etc/bastide/ /etc/systemd /etc/default /var/lib/bastide /var/log /srv/bastide -type f -perm -o+r \\
  -exec grep -l -F -f $patterns {{}} + || true
rm $patterns /var/lib/bastide/decoy
"""


@pytest.fixture(scope="module")
def secrets(shop: Commands) -> dict[str, str]:
    found = shop.secrets()
    assert len(found) >= 2 and all(len(value) >= 16 for value in found.values())
    return found


def test_no_command_line_of_any_machine_showed_a_secret_while_it_was_raised(
    raised: Raised, secrets: dict[str, str]
) -> None:
    assert raised.argv.showing("/etc/bastide/nginx/nginx.conf"), "the machines' command lines were watched"
    for name, value in secrets.items():
        assert not raised.argv.showing(value), f"{name} stood on a command line"


def test_no_verb_prints_a_secret(raised: Raised, secrets: dict[str, str]) -> None:
    shop = raised.commands
    said = {"up": raised.said}
    for words in (
        ("plan",),
        ("plan", "--json"),
        ("config",),
        ("config", "--json"),
        ("status", "--json"),
        ("logs",),
    ):
        done = shop.run(*words)
        said[" ".join(words)] = done.stdout + done.stderr
    said["journal"] = (shop.state / "journal").read_text()
    for name, value in secrets.items():
        for where, text in said.items():
            assert text and value not in text, f"{where} shows {name}"


def test_no_journal_and_no_readable_file_of_a_host_holds_a_secret(shop: Commands, secrets: dict[str, str]) -> None:
    decoy = f"decoy-{uuid.uuid4().hex}"
    for host in (h["name"] for h in shop.status()["hosts"]):
        said = shop.ask(host, _SEARCH.format(patterns="\n".join([decoy, *secrets.values()]), decoy=decoy))
        assert said.splitlines() == ["journal 1", "/var/lib/bastide/decoy"], f"{host}: {said}"


def test_a_secret_does_stand_where_only_its_reader_sees_it(shop: Commands, secrets: dict[str, str]) -> None:
    """The control of all of this: the values are the ones in use."""
    environment = shop.ask("app1", "cat /etc/bastide/app/environment")
    assert secrets["app.SECRET_KEY"] in environment
    assert shop.ask("app1", "stat -c '%a %U' /etc/bastide/app/environment") == "600 root"


def test_keys_and_secrets_on_this_computer_are_for_their_owner_alone(shop: Commands) -> None:
    assert shop.state.stat().st_mode & 0o077 == 0 and shop.state.parent.stat().st_mode & 0o077 == 0
    loose = [
        path
        for path in shop.state.rglob("*")
        if path.is_file() and path.stat().st_mode & 0o044 and _holds_a_secret(path, shop.secrets())
    ]
    assert loose == []


def _holds_a_secret(path: Path, secrets: dict[str, str]) -> bool:
    content = path.read_bytes()
    if path.suffix in (".zst", ".gz", ".tar"):
        content += subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=False).stdout
    return b"PRIVATE KEY" in content or any(value.encode() in content for value in secrets.values())
