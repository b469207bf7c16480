"""Each example is raised, asked as a visitor would ask, and removed."""

from __future__ import annotations

import json
import re
import uuid

import pytest

from tests.lab.commands import Commands, scratch_project
from tests.waiting import wait_for

pytestmark = pytest.mark.lab


def up(commands: Commands) -> str:
    """Raise; the address."""
    facts = json.loads(commands.do("up", "--json", timeout_s=240))
    print(f"\n{commands.spec.parent.name}: up in {facts['seconds']:.1f} s")
    return str(facts["url"]).rstrip("/")


def test_hello_asgi_on_one_host() -> None:
    with scratch_project("hello") as hello:
        url = up(hello)
        assert hello.ask("client", f"curl -s {url}/") == "Hello from all1."
        assert len(hello.do("exec", "client", "--", "curl", "-s", f"{url}/1k")) == 1024
        hello.await_healthy()
        assert hello.run("plan", "--exit-code").returncode == 0


def test_a_static_site_of_two_web_servers() -> None:
    with scratch_project("static-site") as site:
        url = up(site)
        page = site.ask("client", f"curl -s {url}/")
        assert page == (site.base / "public/index.html").read_text().strip()
        missing = site.ask("client", f"curl -s -w '\\n%{{http_code}}' {url}/nothing-here")
        assert missing.endswith("404")


def test_a_command_in_three_processes_on_each_of_two_hosts() -> None:
    with scratch_project("echo-command") as echo:
        url = up(echo)

        def served() -> set[tuple[str, int]]:
            said = echo.ask("client", f"for i in $(seq 40); do curl -s -d 'good day' {url}/here; done")
            answers = [json.loads(line) for line in said.splitlines()]
            assert {(a["method"], a["path"], a["body"]) for a in answers} == {("POST", "/here", "good day")}
            return {(a["host_name"], a["pid"]) for a in answers}

        # One that comes up after the others is passed over for a second at a time.
        wait_for(served, lambda seen: len(seen) == 6, every_s=2)


def test_a_guestbook_in_php_keeps_what_is_signed() -> None:
    with scratch_project("guestbook") as guestbook:
        url = up(guestbook)
        form = guestbook.ask("client", f"curl -s -c /tmp/jar -b /tmp/jar {url}/")
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', form))
        assert {"csrf", "idempotency_key"} <= fields.keys()
        mark = uuid.uuid4().hex
        word = f"entry {mark}"
        fields |= {"author": "Ada", "message": word}
        data = " ".join(f"--data-urlencode '{name}={value}'" for name, value in fields.items())
        post = f"curl -s -b /tmp/jar -o /dev/null -w '%{{http_code}} %{{redirect_url}}\\n' {data} {url}/"
        assert guestbook.ask("client", f"{post}; {post}").splitlines() == [
            f"303 {url}/?signed=now",
            f"303 {url}/?signed=before",
        ]
        # The replica follows in its own time; then every server shows it.
        read = f"for i in 1 2 3 4; do curl -s {url}/; done"
        guestbook.ask("client", f"until [ $({{ {read}; }} | grep -o {mark} | wc -l) = 4 ]; do sleep 0.2; done")
        guestbook.await_healthy()
