"""What all tests share: descriptors as the products' units give them (a login shell has 1024), and one Playwright."""

import resource
import signal
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Playwright, sync_playwright
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# How fast a busy machine makes up examples says nothing of what is tested.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if _soft != resource.RLIM_INFINITY:
    _wanted = 65536 if _hard == resource.RLIM_INFINITY else min(65536, _hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(_soft, _wanted), _hard))

# A shell that starts the tests in the background has them, and whatever they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same cases each time, however busy the machine: a change is judged by what it does. Those who look for cases that
# nobody has thought of yet: pytest --hypothesis-profile=search
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")

_HERE = Path(__file__).parent
# Whole shops under load: beside something else they would judge the computer and not the product.
_ALONE = ("lab/shop", "lab/monitoring", "lab/dashboard", "lab/rollout")

_LONGEST = ("lab/database", "lab/faults", "lab/apply")
"""Folders that come first where several run at a time: nobody waits for one of them in the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Lab tests that are judged by the second are kept apart (`make lab`)."""
    if config.getoption("dist", "no") == "loadscope":
        items.sort(key=lambda item: _place(item.path))
    for item in items:
        if item.get_closest_marker("lab") is None or not item.path.is_relative_to(_HERE):
            continue
        if str(item.path.parent.relative_to(_HERE)) in _ALONE:
            item.add_marker(pytest.mark.alone)


def _place(path: Path) -> int:
    folder = str(path.parent.relative_to(_HERE)) if path.is_relative_to(_HERE) else ""
    return _LONGEST.index(folder) if folder in _LONGEST else len(_LONGEST)


class _FolderByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of one folder share a lab, and so a worker; files beside the folders have labs of their own. What needs no lab
    runs on this computer's own addresses: one after the other."""

    def _split_scope(self, nodeid: str) -> str:
        path = PurePath(nodeid.partition("::")[0])
        if path.parts[:2] != ("tests", "lab"):
            return "here"
        return str(path if path.parent.name == "lab" else path.parent)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """`--dist loadscope` is for labs."""
    return _FolderByFolder(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """There can be one in a process."""
    with sync_playwright() as playwright:
        yield playwright
