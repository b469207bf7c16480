"""Staging: contents travel once, are verified, and packages start nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bastide.bundle.assemble import assemble_bundle
from bastide.host.errors import Failure
from bastide.host.machine import Finished
from bastide.host.packages import install_packages, missing_packages, restore_policy
from bastide.host.redact import mask, secret_texts
from bastide.host.stage import prepare_state, receive_contents, wanted_contents
from bastide.products.fragment import File, Fragment
from tests.unit.host.conftest import Bench

ONE = assemble_bundle("h", [Fragment(product="a", files=(File(path="/etc/bastide/a", content=b"one"),))])


def wanted(bench: Bench) -> list[str]:
    """What the host asks for."""
    return wanted_contents(bench.machine, ONE.manifest, ONE.digest)  # type: ignore[arg-type]


def test_only_what_is_missing_is_asked_for(bench: Bench) -> None:
    prepare_state(bench.machine)
    assert wanted(bench) == list(ONE.contents)
    bench.stage(ONE)
    (bench.machine.blobs / next(iter(ONE.contents))).unlink()
    assert wanted(bench) == [], "the generation has it"
    (bench.machine.generations / ONE.digest / "etc/bastide/a").write_text("changed")
    assert wanted(bench) == list(ONE.contents), "what was damaged is sent again"
    bench.stage(ONE)
    assert (bench.machine.generations / ONE.digest / "etc/bastide/a").read_bytes() == b"one"


def test_content_is_verified(bench: Bench) -> None:
    prepare_state(bench.machine)
    digest = next(iter(ONE.contents))
    messages = iter([({"blob": digest, "last": False}, b"o"), ({"blob": digest, "last": True}, b"ne")])
    assert receive_contents(bench.machine, [digest], lambda: next(messages)) == 3
    (bench.machine.blobs / digest).unlink()
    wrong = iter([({"blob": digest, "last": True}, b"two")])
    with pytest.raises(Failure, match="did not arrive whole"):
        receive_contents(bench.machine, [digest], lambda: next(wrong))
    assert list(bench.machine.blobs.iterdir()) == []


def test_manifest_is_verified(bench: Bench) -> None:
    with pytest.raises(Failure) as refused:
        wanted_contents(bench.machine, dict(ONE.manifest, host="other"), ONE.digest)  # type: ignore[arg-type]
    assert refused.value.code == "integrity"


def test_nothing_starts_while_packages_are_installed(bench: Bench) -> None:
    policy = bench.path("/usr/sbin/policy-rc.d")
    policy.write_text("someone's own")
    seen: list[str] = []

    def apt(argv: Sequence[str]) -> Finished:
        seen.append(policy.read_text())
        return Finished(tuple(argv), 0, "")

    install_packages(replace(bench.machine, run=apt), ["x"])
    assert all("exit 101" in text for text in seen)
    assert policy.read_text() == "someone's own"


def test_policy_is_restored_after_an_interruption(bench: Bench) -> None:
    policy = bench.path("/usr/sbin/policy-rc.d")
    policy.write_text("someone's own")

    def killed(_: Sequence[str]) -> Finished:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install_packages(replace(bench.machine, run=killed), ["x"])
    assert policy.read_text() == "someone's own"
    policy.rename(policy.with_name("policy-rc.d.before-bastide"))
    policy.write_text("#!/bin/sh\n# bastide: no service starts while packages are installed\nexit 101\n")
    restore_policy(bench.machine)
    assert policy.read_text() == "someone's own"


def test_apt_that_fails_says_why(bench: Bench) -> None:
    def apt(argv: Sequence[str]) -> Finished:
        return Finished(tuple(argv), 100, "E: Unable to locate package x")

    with pytest.raises(Failure) as failed:
        install_packages(replace(bench.machine, run=apt), ["x"])
    assert failed.value.lines == ("E: Unable to locate package x",)
    assert not bench.path("/usr/sbin/policy-rc.d").exists()


def test_missing_packages_are_those_not_installed(bench: Bench) -> None:
    def dpkg(argv: Sequence[str]) -> Finished:
        return Finished(tuple(argv), 1, "a installed\nb config-files\ndpkg-query: no packages found matching c")

    assert missing_packages(replace(bench.machine, run=dpkg), ["a", "b", "c"]) == ["b", "c"]


def test_secret_lines_and_values_are_masked() -> None:
    secrets = secret_texts(["PASSWORD='hunter2hunter2'\nshort=abc\n-----BEGIN KEY-----\nMIIEvQIBADANBg\n"])
    said = ["bad value hunter2hunter2 here", "MIIEvQIBADANBg", "abc is fine", "ok"]
    assert mask(said, secrets) == ["bad value [secret] here", "[secret]", "abc is fine", "ok"]
