"""Hosts on which things go wrong: each is left as it was, says what happened, and is well after the next apply."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from bastide.apply.events import BatchBegan
from bastide.apply.result import HostResult
from bastide.apply.run import ApplySettings
from bastide.bundle.model import HostBundle
from bastide.products.fragment import Check, File, Fragment, Probe, Unit
from tests.lab.apply.bundles import web_bundle
from tests.lab.apply.conftest import Ground

pytestmark = pytest.mark.lab

GET = "curl -s http://127.0.0.1:8080/"
UNDONE_S = 15.0


def web(ground: Ground, host: str, text: str, *extra: Fragment) -> HostBundle:
    return web_bundle(host, ground.release, *extra, text=text)


def failed(ground: Ground, *bundles: HostBundle, host: str = "web1", confirm_s: float = 6.0) -> HostResult:
    """Apply what cannot go well; the host's result, which says what happened and what to do."""
    result = ground.apply(*bundles, confirm_s=confirm_s).hosts[host]
    print(f"\n{result.phase}: {result.message}", *result.lines, result.hint, sep="\n  ")
    assert result.outcome == "failed", result
    assert result.message and result.hint, result
    return result


def unit(text: str, *more: File) -> Fragment:
    """A service or oneshot of its own."""
    return Fragment(
        product="fault",
        files=(File(path="/etc/systemd/system/setup.service", content=text.encode()), *more),
        units=(Unit(name="setup.service", kind="oneshot" if "oneshot" in text else "service"),),
    )


def test_a_batch_goes_back_as_a_whole(ground: Ground) -> None:
    olds = [web(ground, host, "old") for host in ground.endpoints]
    assert ground.apply(*olds).ok
    bad = Fragment(
        product="bad", probes=(Probe(name="never", argv=("sh", "-c", "sleep 1; exit 1"), timeout_s=0.2),)
    )
    news = [web(ground, "web1", "new"), web(ground, "web2", "new"), web(ground, "web3", "new", bad)]
    result = ground.apply(*news)
    assert [event.hosts for event in ground.events if isinstance(event, BatchBegan)] == [
        ("web1",),
        ("web2", "web3"),
    ]
    outcomes = {name: host.outcome for name, host in result.hosts.items()}
    assert outcomes == {"web1": "changed", "web2": "undone", "web3": "failed"}
    assert "another host of its batch failed" in result.hosts["web2"].message
    assert [ground.sh(host, GET) for host in ground.endpoints] == ["new", "old", "old"]
    assert not result.ok
    assert ground.apply(*(web(ground, host, "new") for host in ground.endpoints)).ok
    assert [ground.sh(host, GET) for host in ground.endpoints] == ["new", "new", "new"]


def test_a_unit_that_starts_and_dies_after_three_seconds(ground: Ground) -> None:
    assert ground.apply(web(ground, "web1", "old")).ok
    ground.settings["settle_s"] = 6.0  # twice the time after which it dies: a busy machine is late with that, too
    for restart in ("no", "always"):
        dying = unit(
            f"[Service]\nExecStart=/bin/sh -c 'sleep 3; echo I am unwell; exit 3'\nRestart={restart}\n"
            "[Install]\nWantedBy=multi-user.target\n"
        )
        result = failed(ground, web(ground, "web1", "new", dying))
        assert "setup.service did not stay up for 6 s" in result.message
        assert any("I am unwell" in line for line in result.lines)
        assert ground.sh("web1", GET) == "old"
        assert ground.sh("web1", "systemctl is-active setup.service") == "inactive"
    steady = unit("[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
    assert ground.apply(web(ground, "web1", "new", steady)).ok, "the control: what stays up is believed"


_LOOP = """
set -e
cp -a /var/lib/bastide /var/tmp/kept
mount -t tmpfs -o size={size} tmpfs /var/lib/bastide
cp -a /var/tmp/kept/. /var/lib/bastide/
"""
_UNLOOP = "umount -l /var/lib/bastide; rm -rf /var/tmp/kept"


def test_a_full_disk(ground: Ground) -> None:
    old, new = web(ground, "web1", "old"), web(ground, "web1", "new", _large())
    assert ground.apply(old).ok
    ground.sh("web1", _LOOP.format(size="8m"))
    try:
        result = failed(ground, new)
        assert result.phase == "stage"
        assert "no space left" in result.message.lower()
        assert ground.sh("web1", GET) == "old"
        # Not one byte is left: even so what runs is not touched.
        ground.sh("web1", "dd if=/dev/zero of=/var/lib/bastide/fill bs=4k 2>/dev/null")
        failed(ground, web(ground, "web1", "new"))
        assert ground.sh("web1", GET) == "old"
        ground.sh("web1", "rm /var/lib/bastide/fill")
        assert ground.apply(web(ground, "web1", "new")).ok
        assert ground.sh("web1", GET) == "new"
    finally:
        ground.sh("web1", _UNLOOP)


def test_a_disk_that_fills_up_while_a_host_activates_does_not_keep_it_from_going_back(ground: Ground) -> None:
    old = web(ground, "web1", "old")
    assert ground.apply(old).ok
    ground.sh("web1", _LOOP.format(size="12m"))
    try:
        fill = "dd if=/dev/zero of=/var/lib/bastide/fill bs=4k 2>/dev/null; exit 1"
        filling = Fragment(product="fill", probes=(Probe(name="fill", argv=("sh", "-c", fill), timeout_s=0.2),))
        failed(ground, web(ground, "web1", "new", filling))
        assert ground.sh("web1", GET) == "old"
        ground.sh("web1", "rm -f /var/lib/bastide/fill")
        assert ground.apply(web(ground, "web1", "new")).ok
    finally:
        ground.sh("web1", _UNLOOP)


def _large() -> Fragment:
    content = bytes(range(256)) * (64 << 10)
    return Fragment(product="large", files=(File(path="/etc/bastide/large", content=content),))


def test_a_read_only_file_system(ground: Ground) -> None:
    assert ground.apply(web(ground, "web1", "old")).ok
    ground.sh("web1", "mount --bind /var/lib/bastide /var/lib/bastide && mount -o remount,ro,bind /var/lib/bastide")
    try:
        result = failed(ground, web(ground, "web1", "new"))
        assert "read-only" in result.message.lower()
        assert ground.sh("web1", GET) == "old"
    finally:
        ground.sh("web1", "umount -l /var/lib/bastide")
    assert ground.apply(web(ground, "web1", "new")).ok


def test_a_package_that_cannot_be_installed(ground: Ground) -> None:
    olds = [web(ground, host, "old") for host in ("web1", "web2")]
    assert ground.apply(*olds).ok
    bundle = web(ground, "web1", "new")
    bundle = replace(bundle, packages=("bastide-no-such-package", *bundle.packages))
    result = failed(ground, bundle, web(ground, "web2", "new"))
    assert "bastide-no-such-package" in result.message
    assert any("bastide-no-such-package" in line for line in result.lines)
    assert [ground.sh(host, GET) for host in ("web1", "web2")] == ["old", "old"], "nobody changes before all can"
    assert ground.apply(web(ground, "web1", "new"), web(ground, "web2", "new")).ok


_OTHER_CLOCK = """\
#!/usr/bin/python3.11
import runpy, sys, time
real = time.time
time.time = lambda: real() + {offset}
words = [word for word in sys.argv[1:] if word not in ("-I", "-S")]
if words[0] == "-c":
    sys.argv = ["-c", *words[2:]]
    exec(compile(words[1], "loader", "exec"), {{"__name__": "__main__"}})
else:
    sys.argv = words
    runpy.run_path(words[0], run_name="__main__")
"""


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_an_hour_off(ground: Ground, hours: int) -> None:
    """Machines of a lab share this computer's clock, so the host's programs are told another time instead.

    Deadlines count seconds since the boot; a guard that believed the clock would undo at once, or in an hour.
    """
    offset = hours * 3600
    script = _OTHER_CLOCK.format(offset=offset)
    ground.sh("web1", f"cat >/usr/local/lib/other-clock <<'END'\n{script}END\nchmod 755 /usr/local/lib/other-clock")
    ground.sh("web1", "ln -sf /usr/local/lib/other-clock /usr/bin/python3")
    try:
        assert ground.apply(web(ground, "web1", "old")).ok
        at = ground.activation("web1")["at"]
        assert isinstance(at, float)
        assert abs(at - time.time() - offset) < 600, "the control: its clock is off"
        began = time.monotonic()
        new = web(ground, "web1", "new")
        ground.apply_and_die(new, when=lambda event: "probe release" in getattr(event, "text", ""), confirm_s=3.0)
        while ground.activation("web1")["phase"] != "rolled-back":
            assert time.monotonic() - began < 3 * UNDONE_S
            time.sleep(0.2)
        assert ground.sh("web1", GET) == "old"
        assert ground.apply(new).ok
    finally:
        ground.sh("web1", "ln -sf python3.11 /usr/bin/python3")


_LOCKOUTS = {
    "a firewall that lets nobody in": (
        "/usr/sbin/nft add table inet lockout; /usr/sbin/nft 'add chain inet lockout input "
        "{ type filter hook input priority 0; }'; "
        "/usr/sbin/nft add rule inet lockout input ct state established accept; "
        "/usr/sbin/nft add rule inet lockout input tcp dport 22 drop",
        "/usr/sbin/nft delete table inet lockout",
    ),
    "an sshd that refuses every login": (
        "echo 'AllowUsers nobody' >/etc/ssh/sshd_config.d/00-lockout.conf; systemctl reload ssh",
        "rm -f /etc/ssh/sshd_config.d/00-lockout.conf; systemctl reload ssh",
    ),
    "another address of the host": (
        "ip -o -4 addr show priv0 | awk '{print $4}' >/run/address; "
        "ip addr flush dev priv0; ip addr add 10.99.99.99/24 dev priv0",
        "ip addr flush dev priv0; ip addr add $(cat /run/address) dev priv0",
    ),
}


@pytest.mark.alone
@pytest.mark.parametrize("lockout", _LOCKOUTS)
def test_a_change_that_locks_us_out_is_undone_within_15_s(ground: Ground, lockout: str) -> None:
    assert ground.apply(web(ground, "web1", "old")).ok
    start, stop = (line.replace("%", "%%") for line in _LOCKOUTS[lockout])
    files = (
        File(path="/etc/bastide/lockout/start", content=f"{start}\n".encode()),
        File(path="/etc/bastide/lockout/stop", content=f"{stop}\n".encode()),
    )
    text = (
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh /etc/bastide/lockout/start\n"
        f'ExecStop=/bin/sh -c "{stop.replace(chr(34), chr(39))}"\n[Install]\nWantedBy=multi-user.target\n'
    )
    text = text.replace("$(cat", "$$(cat")
    result = failed(ground, web(ground, "web1", "new", unit(text, *files)), confirm_s=ApplySettings().confirm_s)
    assert "by itself" in result.hint, "and said so"
    assert ground.sh("web1", GET) == "old"
    # Measured on the host itself: from the moment at which it could not be reached any more.
    # Without the sync the last lines may not be there yet, and those of the lockout before would be taken for them.
    units = "-u setup.service -u 'bastide-guard-*'"
    log = ground.sh("web1", f"journalctl --sync; journalctl -o short-unix --no-pager {units} | tail -40")
    moments = {
        word: float(line.split(" ", 1)[0])
        for line in log.splitlines()
        for word in ("Started setup", "Finished setup", "Stopped setup")
        if word in line
    }
    locked = moments.get("Finished setup") or moments["Started setup"]
    print(f"  locked out for {moments['Stopped setup'] - locked:.1f} s")
    assert moments["Stopped setup"] - locked <= UNDONE_S
    assert ground.apply(web(ground, "web1", "new")).ok


def test_what_a_checker_refuses_on_one_host_changes_none(ground: Ground) -> None:
    assert ground.apply(*(web(ground, host, "old") for host in ("web1", "web2"))).ok
    never = Fragment(product="bad", checks=(Check(name="never", argv=("sh", "-c", "echo no good; exit 1")),))
    result = failed(ground, web(ground, "web1", "new", never), web(ground, "web2", "new"))
    assert "no good" in result.lines and "Nothing was changed" in result.hint
    assert [ground.sh(host, GET) for host in ("web1", "web2")] == ["old", "old"]
