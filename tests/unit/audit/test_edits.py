"""Editing a spec where it stands: only the value changes, however the file is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastide.audit.edits import CannotEdit, expand_hosts, set_value
from bastide.audit.rule import AddHosts, SetValue
from bastide.spec.errors import Keys
from bastide.spec.nodes import to_plain
from bastide.spec.source import read_document
from tests.unit.specs import make_spec

SPEC = """\
# mine
name: shop   # the name
hosts:
  lb1: {roles: [balancer]}   # one
  web1:
    # a comment inside
    roles:
      - web   # and one here
      - app
    place: rack1

tls: {inside: plain, hsts: 1d}  # look
database:
web:
  static:
    /static/: ./static
  snippets:
    server: |
      autoindex on;
system: {}
empty: {roles: [
  a, "]", b]}
"""


def edit(folder: Path, path: Keys, yaml: str, text: str = SPEC) -> tuple[list[str], list[str]]:
    """Lines that went and lines that came."""
    file = folder / "bastide.yaml"
    file.write_text(text, encoding="utf-8")
    after = set_value(read_document(file), SetValue(path=path, yaml=yaml)).split("\n")
    before = text.split("\n")
    file.write_text("\n".join(after), encoding="utf-8")
    return [line for line in before if line not in after], [line for line in after if line not in before]


@pytest.mark.parametrize(
    ("path", "yaml", "gone", "came"),
    [
        (("tls", "inside"), "mtls", ["tls: {inside: plain, hsts: 1d}  # look"],
         ["tls: {inside: mtls, hsts: 1d}  # look"]),
        (("tls", "edge"), "internal", ["tls: {inside: plain, hsts: 1d}  # look"],
         ["tls: {inside: plain, hsts: 1d, edge: internal}  # look"]),
        (("name",), "other", ["name: shop   # the name"], ["name: other   # the name"]),
        (("hosts", "lb1", "roles"), "[web]", ["  lb1: {roles: [balancer]}   # one"],
         ["  lb1: {roles: [web]}   # one"]),
        (("hosts", "web1", "roles"), "[app]", ["    roles:", "      - web   # and one here", "      - app"],
         ["    roles: [app]"]),
        (("hosts", "web1", "public"), "192.0.2.1", [], ["    public: 192.0.2.1"]),
        (("hosts", "web2"), "{roles: [web]}", [], ["  web2: {roles: [web]}"]),
        (("web", "snippets", "http"), "a", [], ["    http: a"]),
        (("web", "gzip"), "false", [], ["  gzip: false"]),
        (("system", "harden_ssh"), "true", ["system: {}"], ["system: {harden_ssh: true}"]),
        (("balancer", "timeouts", "server"), "90s", [], ["balancer:", "  timeouts:", "    server: 90s"]),
        (("system", "a", "b"), "1", ["system: {}"], ["system: {a: {b: 1}}"]),
        (("database",), "{}", ["database:"], ["database: {}"]),
        (("empty", "roles"), "[c]", ["empty: {roles: [", '  a, "]", b]}'], ["empty: {roles: [c]}"]),
    ],
)  # fmt: skip
def test_only_the_value_changes(tmp_path: Path, path: Keys, yaml: str, gone: list[str], came: list[str]) -> None:
    assert edit(tmp_path, path, yaml) == (gone, came)
    found = to_plain(read_document(tmp_path / "bastide.yaml").root)
    for part in path:
        found = found[part]  # type: ignore[index]
    assert str(found).lower() in (yaml, *{"[web]": ["['web']"], "[app]": ["['app']"], "[c]": ["['c']"]}.get(yaml, []),
                                  *(["{'roles': ['web']}"] if yaml == "{roles: [web]}" else []))  # fmt: skip


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("web", "snippets", "server"), SPEC),
        (("tls",), "word: &w plain\ntls: *w\n"),
        (("name", "deeper"), SPEC),
    ],
)
def test_what_only_its_author_should_change_is_refused(tmp_path: Path, path: Keys, text: str) -> None:
    with pytest.raises(CannotEdit):
        edit(tmp_path, path, "x", text)


values = st.one_of(st.integers(0, 99), st.booleans(), st.from_regex(r"[a-z]{1,6}", fullmatch=True))
trees = st.recursive(
    values,
    lambda inner: st.dictionaries(st.from_regex(r"k[a-z]{1,3}", fullmatch=True), inner, min_size=1, max_size=4),
    max_leaves=12,
).filter(lambda tree: isinstance(tree, dict))


def written(tree: dict[str, object], data: st.DataObject, indent: int = 0) -> list[str]:
    """The tree as YAML, in block or flow style as it comes, with comments."""
    lines: list[str] = []
    for key, value in tree.items():
        pad = " " * indent
        note = data.draw(st.sampled_from(["", "  # why"]))
        if not isinstance(value, dict):
            lines.append(f"{pad}{key}: {str(value).lower()}{note}")
        elif data.draw(st.booleans()):
            lines.append(f"{pad}{key}: {flow(value)}{note}")
        else:
            lines += [f"{pad}{key}:{note}", *written(value, data, indent + 2)]
    return lines


def flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    return str(value).lower()


@settings(deadline=None, max_examples=150)
@given(trees, st.data())
def test_any_value_of_any_tree_can_be_set_and_nothing_else_changes(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object], data: st.DataObject
) -> None:
    text = "\n".join(["# head", *written(tree, data), "# tail", ""])
    file = tmp_path_factory.mktemp("edit") / "bastide.yaml"
    file.write_text(text, encoding="utf-8")
    before = to_plain(read_document(file).root)
    path: list[str] = []
    at: object = tree
    while isinstance(at, dict):
        path.append(data.draw(st.sampled_from([*at, "knew"])))
        at = at.get(path[-1], 0)
        if data.draw(st.integers(0, 3)) == 0:
            break
    file.write_text(set_value(read_document(file), SetValue(path=tuple(path), yaml="hello")), encoding="utf-8")
    expected: dict[str, object] = before  # type: ignore[assignment]
    inner: dict[str, object] = expected
    for part in path[:-1]:
        inner = inner[part]  # type: ignore[assignment]
    inner[path[-1]] = "hello"
    assert to_plain(read_document(file).root) == expected
    kept = file.read_text(encoding="utf-8")
    assert kept.startswith("# head\n") and "# tail\n" in kept


def test_new_hosts_have_free_names() -> None:
    spec = make_spec()
    added = expand_hosts(AddHosts(role="web", count=2), spec)
    assert [value.path for value in added] == [("hosts", "web3"), ("hosts", "web4")]
    assert added[0].yaml == "{roles: [web]}"
