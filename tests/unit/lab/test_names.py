"""Names and subnets: recognisable, short enough for the kernel, never shared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastide.lab.errors import LabError
from bastide.lab.names import check_name, lab_networks, namespace, private_link, public_link

INDEXES = st.integers(min_value=0, max_value=255)
MACHINES = st.from_regex(r"\A[a-z][a-z0-9-]{0,39}\Z")


@given(INDEXES, MACHINES)
def test_interface_names_fit_the_kernel(index: int, machine: str) -> None:
    networks = lab_networks(index)
    names = {
        private_link(index, machine),
        public_link(index, machine),
        networks.private_bridge,
        networks.public_bridge,
    }
    assert len(names) == 4
    assert all(len(name) <= 15 and name.startswith(f"bst{index}-") for name in names)


@given(INDEXES, INDEXES)
def test_two_labs_share_nothing(one: int, other: int) -> None:
    if one == other:
        return
    a, b = lab_networks(one), lab_networks(other)
    assert not a.public.overlaps(b.public) and not a.private.overlaps(b.private)
    assert len({a.public6, a.private6, b.public6, b.private6}) == 4
    assert {a.public_bridge, a.private_bridge}.isdisjoint({b.public_bridge, b.private_bridge})
    assert private_link(one, "web1") != private_link(other, "web1")
    assert namespace(one, "web1") != namespace(other, "web1")


def test_short_names_stay_readable() -> None:
    assert private_link(3, "web1") == "bst3-web1-p"
    assert public_link(3, "lb1") == "bst3-lb1-u"


def test_long_names_that_begin_alike_differ() -> None:
    assert private_link(0, "application-server-1") != private_link(0, "application-server-2")


@pytest.mark.parametrize("name", ["", "Web", "1web", "web_1", "../etc", "a/b", "a b", "web:1", "w" * 41, "web\n"])
def test_a_name_that_could_leave_its_directory_is_refused(name: str) -> None:
    with pytest.raises(LabError) as refused:
        check_name("machine", name)
    assert refused.value.hint


@pytest.mark.parametrize("index", [-1, 256])
def test_there_are_256_slots(index: int) -> None:
    with pytest.raises(ValueError, match="0 to 255"):
        lab_networks(index)
