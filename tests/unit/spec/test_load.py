"""Loading: YAML 1.2, overlays, origins; and that nothing but SpecInvalid ever comes out."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from bastide.spec.errors import SpecInvalid
from bastide.spec.load import load_spec
from tests.unit.spec.samples import SMALL, load_text


def _codes(caught: pytest.ExceptionInfo[SpecInvalid]) -> list[str]:
    return [error.code for error in caught.value.errors]


def test_values_arrive_in_base_units(tmp_path: Path) -> None:
    spec = load_text(
        tmp_path,
        SMALL
        + "  timeout: 1.5m\nweb: {max_body_size: 16k}\nbalancer: {virtual_ip: none, advert_interval: 250ms}\n",
    ).spec
    assert spec.app.timeout == 90.0
    assert spec.web.max_body_size == 16384
    assert spec.balancer.advert_interval == 0.25


def test_yaml_is_1_2_and_fractions_stay_text(tmp_path: Path) -> None:
    spec = load_text(
        tmp_path, SMALL + "  python: 3.10\n  environment: {A: no, B: 22:22, C: 2026-01-02, D: 1.10, E: 0755x}\n"
    ).spec
    assert spec.app.environment == {"A": "no", "B": "22:22", "C": "2026-01-02", "D": "1.10", "E": "0755x"}
    assert spec.app.python == "3.10"


def test_anchors_and_merge_keys_work_and_own_keys_win(tmp_path: Path) -> None:
    text = SMALL.replace("{roles: [web, app]}", "&web {roles: &roles [web, app], ssh: {user: deploy}}")
    text = text.replace(
        "app:\n", "  web2: *web\n  web3: {<<: *web, roles: [app]}\n  web4: {roles: *roles}\napp:\n", 1
    )
    hosts = load_text(tmp_path, text).spec.hosts
    assert hosts["web2"] == hosts["web1"]
    assert hosts["web3"].roles == ("app",) and hosts["web3"].ssh == hosts["web1"].ssh
    assert hosts["web4"].roles == ("web", "app")


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "bastide.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load_spec(file, check_files=False).spec.name == "shop"


def test_an_overlay_merges_replaces_and_removes(tmp_path: Path) -> None:
    base = SMALL + "  environment: {A: a, B: b}\n  processes: 8\nweb: {gzip: false}\n"
    over = (
        "app: {environment: {B: c, D: d, A: null}, processes: null}\nhosts: {web1: {roles: [web, app, monitor]}}\n"
    )
    loaded = load_text(tmp_path, base, prod=over)
    assert loaded.spec.app.environment == {"B": "c", "D": "d"}
    assert loaded.spec.app.processes == 2
    assert loaded.spec.hosts["web1"].roles == ("web", "app", "monitor")
    assert not loaded.spec.web.gzip
    assert [file.name for file in loaded.files] == ["bastide.yaml", "bastide.prod.yaml"]


def test_without_an_environment_the_overlay_is_not_read(tmp_path: Path) -> None:
    load_text(tmp_path, SMALL, prod="name: other\n")
    assert load_spec(tmp_path / "bastide.yaml", check_files=False).spec.name == "shop"


@pytest.mark.parametrize("environment", ["staging", "../prod", "", "a/b", "x\0"])
def test_an_unknown_environment_is_refused_and_the_known_ones_named(tmp_path: Path, environment: str) -> None:
    load_text(tmp_path, SMALL, prod="name: other\n")
    with pytest.raises(SpecInvalid) as caught:
        load_spec(tmp_path / "bastide.yaml", environment=environment)
    assert _codes(caught) == ["BST009"]
    if environment == "staging":
        assert caught.value.errors[0].hint == "overlays here: bastide.prod.yaml"


def test_an_error_stands_in_the_file_that_holds_the_value(tmp_path: Path) -> None:
    with pytest.raises(SpecInvalid) as caught:
        load_text(tmp_path, SMALL + "  timeout: 3\n", prod="# one\nweb:\n  workers: many\n")
    assert [(e.file.name, e.line, e.column) for e in caught.value.errors] == [
        ("bastide.prod.yaml", 3, 12),
        ("bastide.yaml", 9, 12),
    ]


def test_origins_know_file_line_and_default(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, SMALL, prod="web:\n  gzip: false\n")
    assert str(loaded.origins["app.kind"]) == "bastide.yaml:7"
    assert str(loaded.origins["hosts.web1.roles.1"]) == "bastide.yaml:5"
    assert str(loaded.origins["web.gzip"]) == "bastide.prod.yaml:2"
    assert loaded.origins["web.workers"].is_default
    assert loaded.origins["balancer.timeouts.connect"].is_default


def test_faults_of_form_and_of_meaning_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(SpecInvalid) as caught:
        load_text(tmp_path, SMALL.replace("[shop.test]", "[a.test, a.test]") + "  tiemout: 3s\n  migrate: [x]\n")
    assert _codes(caught) == ["BST055", "BST012", "BST052"]


def test_what_is_faulty_raises_no_second_fault(tmp_path: Path) -> None:
    """A host with a misspelt role is not also called missing."""
    with pytest.raises(SpecInvalid) as caught:
        load_text(tmp_path, SMALL.replace("[balancer]", "[balancr]").replace("wsgi", "wsgy"))
    assert _codes(caught) == ["BST013", "BST013"]


def test_an_address_as_the_virtual_ip(tmp_path: Path) -> None:
    text = SMALL.replace("{roles: [web, app]}", "{roles: [web, app, balancer]}")
    spec = load_text(tmp_path, text + "balancer: {virtual_ip: '2001:db8::10'}\n").spec
    assert spec.balancer.virtual_ip == ip_address("2001:db8::10")


def test_a_folder_and_an_unsearchable_path_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "x" / "bastide.yaml", tmp_path / ("x" * 300), Path("a\0b")):
        with pytest.raises(SpecInvalid) as caught:
            load_spec(path)
        assert _codes(caught) == ["BST001"]


def test_a_thousand_hosts_load_in_seconds(tmp_path: Path) -> None:
    hosts = "".join(f"  h{n}: {{roles: [web, app], address: 10.{n // 250}.1.{n % 250 + 1}}}\n" for n in range(1000))
    text = SMALL.replace("  web1: {roles: [web, app]}\n", hosts)
    text = text.replace("{roles: [balancer]}", "{roles: [balancer], address: 10.9.9.9}")
    assert len(load_text(tmp_path, text).spec.hosts) == 1001


def test_an_overlay_given_as_the_spec_is_recognised(tmp_path: Path) -> None:
    load_text(tmp_path, SMALL, prod="web: {gzip: false}\n")
    with pytest.raises(SpecInvalid) as caught:
        load_spec(tmp_path / "bastide.prod.yaml")
    hints = [error.hint for error in caught.value.errors if "'name'" in error.message]
    assert hints == ["'bastide.prod.yaml' looks like the overlay 'prod' of 'bastide.yaml': name that file instead"]
