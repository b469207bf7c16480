"""An image's sources: this machine's own archives of Debian, and nothing that is not Debian."""

import pytest

from bastide.lab.apt import DEBIAN_DEFAULT, acquire_options, debian_sources, render_sources

MIRROR = "http://mirror.example/debian/"


def test_this_machines_mirror_is_used() -> None:
    printed = (
        f"{MIRROR}|bookworm|main|Debian\n{MIRROR}|bookworm|contrib|Debian\n{MIRROR}|bookworm-updates|main|Debian\n"
    )
    assert debian_sources(printed) == (
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/debian", "bookworm-updates"),
    )


def test_a_vendors_repository_for_the_same_suite_is_not() -> None:
    printed = f"{MIRROR}|bookworm|main|Debian\nhttps://vendor.example/debian/|bookworm|main|Vendor\n"
    assert debian_sources(printed) == (("http://mirror.example/debian", "bookworm"),)


def test_before_the_first_update_the_path_must_do() -> None:
    assert debian_sources(f"{MIRROR}|bookworm|main|$(ORIGIN)\n") == (("http://mirror.example/debian", "bookworm"),)


@pytest.mark.parametrize(
    "printed",
    ["", "garbage\n", "http://a.example/ubuntu/|jammy|main|Ubuntu\n", f"{MIRROR}|trixie|main|Debian\n"],
)
def test_without_one_it_is_debians_default(printed: str) -> None:
    assert debian_sources(printed) == DEBIAN_DEFAULT


def test_sources_name_the_keyring() -> None:
    assert render_sources((("http://a.example/debian", "bookworm"),)) == (
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://a.example/debian bookworm main\n"
    )


def test_proxies_are_taken_over_and_index_formats_are_not() -> None:
    dump = (
        'APT::Architecture "amd64";\nAcquire "";\nAcquire::http::Proxy "http://p:3142";\n'
        'Acquire::Languages "";\nAcquire::IndexTargets::deb::Packages::MetaKey "x";\nAcquire::Check-Date "false";\n'
    )
    assert acquire_options(dump) == 'Acquire::http::Proxy "http://p:3142";\nAcquire::Check-Date "false";\n'
