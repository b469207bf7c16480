"""Explanations: every element has one, what is said of losses is what the cut sets say, secrets are where they are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from bastide.audit.judge import judge
from bastide.audit.registry import RULES_BY_ID
from bastide.audit.rule import Subject as Audited
from bastide.bundle.compile import compile_bundles
from bastide.explain.find import UnknownElement, every_element, explain_code, explain_rule, find_element
from bastide.explain.model import Subject
from bastide.explain.render import explanation_markdown, story_json, story_markdown
from bastide.explain.services import known_products
from bastide.explain.story import tell_story
from bastide.policy.cutsets import predict
from bastide.products.registry import RENDERERS
from bastide.spec.codes import CODES
from bastide.spec.model import Spec
from bastide.topology.resolve import resolve_topology
from tests.unit.materials import fake_materials, fake_secret
from tests.unit.specs import EVERYTHING_ON_ONE, RESILIENT, WHITEBOARD, make_spec

STATIC: Mapping[str, Sequence[str]] = {"lb1": ["balancer"], "web1": ["web"]}
TOWN: Mapping[str, Sequence[str]] = {
    **{f"lb{n}": ["balancer"] for n in (1, 2)},
    **{f"web{n}": ["web"] for n in range(1, 21)},
    **{f"app{n}": ["app"] for n in range(1, 31)},
    **{f"db{n}": ["database"] for n in range(1, 6)},
    **{f"mon{n}": ["monitor"] for n in (1, 2)},
    "vote1": ["witness"],
}
SECRETS = {"secrets": {"SECRET_KEY": {"generate": 48}, "PAY": {"file": "pay.txt"}}}
TORN = re.compile(
    r"  |\.\.|\bNone[ ,.]|nobody (shows|show)|\{\w+[.(\[]|\(\)| ,|, \.| \.\s|[a-z]\. (?!nginx|sqlproxy|systemd|etcd)[a-z]"
)
"""Seams that show: what a sentence leaves when a part of it is empty."""
SPECS: dict[str, Spec] = {
    "resilient": make_spec(RESILIENT, app={"kind": "wsgi", "entry": "shop:app", **SECRETS}),
    "automatic": make_spec(RESILIENT, database={"mode": "replication", "name": "shop", "failover": "automatic"}),
    "whiteboard": make_spec(WHITEBOARD, tls={"inside": "plain"}, firewall={}),
    "one": make_spec(EVERYTHING_ON_ONE, app={"kind": "command", "command": ["./run"], **SECRETS}),
    "static": make_spec(STATIC, app={"kind": "static"}),
    "town": make_spec(TOWN, monitor={"alerting": {"slack": {"url": {"env": "SLACK"}, "channel": "#ops"}}}),
}


def subject(name: str) -> Subject:
    spec = SPECS[name]
    topology = resolve_topology(spec)
    found = judge(Audited(spec=spec, topology=topology, on_servers=True, today="2026-11-20")).findings
    return Subject(spec=spec, topology=topology, real=True, findings=found)


@pytest.mark.parametrize("name", SPECS)
def test_everything_is_explained_and_found_again_by_its_name(name: str) -> None:
    about = subject(name)
    elements = {element.name: element for element in every_element(about)}
    assert {*about.topology.hosts, *(flow.name for flow in about.topology.flows)} <= set(elements)
    assert {f"{s.host}/{s.product}" for s in about.topology.services} <= set(elements)
    assert {"internet", "admin", "network", "ca", "certificate"} <= set(elements)
    for element in list(elements.values())[:: max(1, len(elements) // 60)]:
        assert replace(find_element(about, element.name), remains=()) == element
        for other in element.other_names:
            assert find_element(about, other).name in (element.name, other)


@pytest.mark.parametrize("name", SPECS)
def test_sentences_are_whole(name: str) -> None:
    about = subject(name)
    texts = [explanation_markdown(element) for element in every_element(about)]
    for text in (*texts, story_markdown(tell_story(about))):
        assert not TORN.search(text), text
        for line in text.splitlines():
            if line and line[0] not in "#|-*0123456789" and not line.startswith("**"):
                assert line.rstrip("*").endswith((".", ":")), line


@pytest.mark.parametrize("name", SPECS)
def test_a_loss_is_told_as_the_cut_sets_have_it(name: str) -> None:
    about = subject(name)
    for host in about.topology.hosts:
        told = " ".join(find_element(about, host).dies)
        down = predict(about.topology, [host]).reads
        assert ("**The site is down**" in told) == down and ("**The site goes on.**" in told) == (not down)


@pytest.mark.parametrize("name", SPECS)
def test_secrets_are_on_the_hosts_that_are_told_and_on_no_other(name: str) -> None:
    spec = SPECS[name]
    about = subject(name)
    materials = fake_materials(spec, about.topology)
    bundles = compile_bundles(spec, about.topology, materials)
    told = {e.name: e for e in every_element(about) if e.kind == "secret"}
    for secret, value in materials.secrets.items():
        holders = {
            host for host, bundle in bundles.items() if any(value.encode() in file.content for file in bundle.files)
        }
        if secret not in told:
            assert not holders, f"{secret} is on {holders}, and nobody says so"
            continue
        names = re.findall(r"`([a-z0-9]+)`", told[secret].talks[0])
        if "…" in told[secret].talks[0]:
            assert f"({len(holders)} hosts)" in told[secret].talks[0]
        else:
            assert set(names) == holders
        assert value not in explanation_markdown(told[secret])
    assert fake_secret("x", 32) != fake_secret("y", 32)  # the control: values tell secrets apart


def test_plain_text_is_named_where_it_is_and_nowhere_else() -> None:
    plain, encrypted = (story_markdown(tell_story(subject(name))) for name in ("whiteboard", "resilient"))
    assert "TLS ends at the balancer" in plain and "by mutual TLS" not in plain
    assert "lain text" not in encrypted and "by mutual TLS" in encrypted


def test_with_automatic_failover_no_host_is_a_single_point_and_the_vote_is_told() -> None:
    story = story_markdown(tell_story(subject("automatic")))
    assert "Any one host may die" in story and "nothing takes over" not in story
    assert "voters decide it" in story and "`2379/tcp`" in " ".join(
        find_element(subject("automatic"), "monitor1").talks
    )
    assert "One vote is missing" in story


def test_single_points_of_failure_come_first_with_what_would_remove_them() -> None:
    story = tell_story(subject("whiteboard"))
    remains = next(chapter for chapter in story.chapters if chapter.title == "What remains")
    assert remains.points[0].startswith("**`lb1`:**") and "second balancer" in remains.points[0]
    assert remains.points[1].startswith("**`server1`:**") and "takeover" in remains.points[1]


def test_what_audit_finds_is_told_as_a_whole_and_of_the_element_that_it_is_about() -> None:
    about = subject("whiteboard")
    remains = story_markdown(tell_story(about)).split("## What remains")[1]
    for finding in about.findings:
        assert f"`{finding.rule.id}`" in remains and finding.rule.fix in remains
    assert any("`TLS002`" in told for told in find_element(about, "app-database").remains)
    assert any("`AVA002`" in told for told in find_element(about, "lb1").remains)
    assert not find_element(about, "monitor1/hub").remains


def test_rules_need_no_spec() -> None:
    found = explain_rule("tls001")
    assert found is not None and found.name == "TLS001" and found.remains[0] == RULES_BY_ID["TLS001"].fix
    assert explain_rule("TLS999") is None


def test_a_town_of_sixty_hosts_is_told_in_about_as_many_words_as_nine_hosts() -> None:
    nine, sixty = (len(story_markdown(tell_story(subject(name))).split()) for name in ("resilient", "town"))
    assert sixty < 1.25 * nine


def test_every_product_has_words() -> None:
    assert set(RENDERERS) <= known_products()


def test_a_misspelt_name_is_answered_with_what_was_meant() -> None:
    about = subject("resilient")
    for word, meant in (
        ("web11", "web1"),
        ("balancer-wbe", "balancer-web"),
        ("BST37", "BST037"),
        ("intrenet", "internet"),
    ):
        with pytest.raises(UnknownElement) as caught:
            find_element(about, word)
        assert meant in caught.value.near
    with pytest.raises(UnknownElement) as caught:
        find_element(about, "zzzzzz")
    assert not caught.value.near and "elements are" in caught.value.hint


def test_names_that_people_use() -> None:
    about = subject("resilient")
    for word, name in (
        ("web servers", "web"), ("Balancers", "balancer"), ("virtual_ip", "vip"), ("pki", "ca"),
        ("SECRET_KEY", "app.SECRET_KEY"), ("mariadb", "db1/mariadb"), ("haproxy@lb2", "lb2/haproxy"),
    ):  # fmt: skip
        assert find_element(about, word).name == name


def test_codes_need_no_spec() -> None:
    assert all(explain_code(code) for code in CODES)
    found = explain_code("bst037")
    assert found is not None and found.name == "BST037"
    assert explain_code("web1") is None


def test_json_holds_every_element_once() -> None:
    about = subject("whiteboard")
    document = story_json(tell_story(about), tuple(every_element(about)))
    names = [element["name"] for element in document["elements"]]
    assert len(names) == len(set(names)) and {"server1", "balancer-web", "server1/mariadb"} <= set(names)
    server1 = next(element for element in document["elements"] if element["name"] == "server1")
    assert server1["stops"] == ["reads", "writes"]
