"""The guestbook under `php -S`, on a MariaDB of its own. Without php or mariadb-server: skipped, aloud."""

import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
from throwaway_mariadb import ThrowawayMariaDB, free_port, missing_programs

HERE = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A browser that keeps its one cookie."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = Answer(status=response.status, headers=dict(response.headers), text=response.read().decode())
        connection.close()
        if cookie := answer.headers.get("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def form(self) -> dict[str, str]:
        return dict(re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', self.get("/").text))

    def sign(self, **fields: str) -> Answer:
        return self.ask("POST", "/", urlencode(fields))


@pytest.fixture(scope="module")
def mariadb() -> Iterator[ThrowawayMariaDB]:
    if missing := missing_programs() + [name for name in ("php",) if not shutil.which(name)]:
        pytest.skip(f"NOT TESTED: {', '.join(missing)} not found; apt-get install mariadb-server php-cli php-mysql")
    with tempfile.TemporaryDirectory(prefix="guestbook-test-") as directory:
        server = ThrowawayMariaDB(Path(directory), name="guestbook")
        try:
            yield server
        finally:
            server.destroy()


@pytest.fixture(scope="module")
def environment(mariadb: ThrowawayMariaDB) -> dict[str, str]:
    replica = mariadb.url.replace(str(mariadb.port), str(free_port()))  # down: the primary must stand in
    given = {"DATABASE_URL": mariadb.url, "DATABASE_URL_READONLY": replica, "SECRET_KEY": "only for tests"}
    return os.environ | given | {"PHP_CLI_SERVER_WORKERS": "6"}


@pytest.fixture(scope="module")
def port(environment: dict[str, str]) -> Iterator[int]:
    for expected in ("created the table", "nothing to do"):
        done = subprocess.run(["php", "migrate.php"], cwd=HERE, env=environment, capture_output=True, text=True)
        assert done.returncode == 0 and expected in done.stdout, done.stderr
    port = free_port()
    command = ["php", "-S", f"127.0.0.1:{port}", "-t", "public", "public/index.php"]
    server = subprocess.Popen(
        command,
        cwd=HERE,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(port)
        yield port
    finally:
        os.killpg(server.pid, 9)  # its workers too
        server.wait(timeout=10)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            Visitor(port=port).get("/healthz?live=1")
        except OSError:
            assert time.monotonic() < deadline, "php -S did not start"
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def visitor(port: int, mariadb: ThrowawayMariaDB) -> Visitor:
    mariadb.sql("TRUNCATE guestbook.entries")
    return Visitor(port=port)


def entries(mariadb: ThrowawayMariaDB) -> int:
    return mariadb.number("SELECT COUNT(*) FROM guestbook.entries")


def test_sign_and_read(visitor: Visitor) -> None:
    done = visitor.sign(**visitor.form(), author="Zoë", message="<script>alert(1)</script> ☕")
    assert (done.status, done.headers["Location"]) == (303, "/?signed=now")
    page = visitor.get(done.headers["Location"]).text
    assert "Zoë" in page and "☕" in page
    assert "&lt;script&gt;" in page and "<script" not in page
    assert json.loads(visitor.get("/api/entries").text)["entries"][0]["author"] == "Zoë"


def test_the_cookie_is_secure_httponly_lax(visitor: Visitor) -> None:
    cookie = visitor.get("/").headers["Set-Cookie"].lower()
    assert all(word in cookie for word in ("secure", "httponly", "samesite=lax"))


def test_the_same_key_signs_once_even_simultaneously(visitor: Visitor, mariadb: ThrowawayMariaDB) -> None:
    fields = visitor.form() | {"author": "Ada", "message": "hello"}
    with ThreadPoolExecutor(6) as crowd:
        answers = list(crowd.map(lambda _: visitor.sign(**fields).headers.get("Location"), range(6)))
    assert sorted(map(str, answers)) == ["/?signed=before"] * 5 + ["/?signed=now"]
    assert entries(mariadb) == 1


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_form_without_our_token_is_refused(visitor: Visitor, mariadb: ThrowawayMariaDB, token: str) -> None:
    fields = visitor.form() | {"csrf": token, "author": "Eve", "message": "spam"}
    assert visitor.sign(**fields).status == 403
    assert entries(mariadb) == 0


def test_a_forged_cookie_is_a_stranger(visitor: Visitor, mariadb: ThrowawayMariaDB) -> None:
    fields = visitor.form() | {"author": "Eve", "message": "spam"}
    visitor.cookies["guestbook"] = "0" * 32 + "." + "0" * 64
    assert visitor.sign(**fields).status == 403
    assert entries(mariadb) == 0


def test_an_empty_message_is_asked_for_again(visitor: Visitor, mariadb: ThrowawayMariaDB) -> None:
    refused = visitor.sign(**visitor.form(), author='"><b>', message=" ")
    assert refused.status == 400 and "Please fill in" in refused.text
    assert "&quot;&gt;&lt;b&gt;" in refused.text and entries(mariadb) == 0


def test_a_read_only_spell_is_waited_out_or_answered_503(visitor: Visitor, mariadb: ThrowawayMariaDB) -> None:
    fields = visitor.form() | {"author": "Ada", "message": "hello"}
    mariadb.sql("SET GLOBAL read_only = 1")
    try:
        refused = visitor.sign(**fields)
    finally:
        mariadb.sql("SET GLOBAL read_only = 0")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert visitor.sign(**fields).status == 303 and entries(mariadb) == 1


def test_without_a_database(visitor: Visitor, mariadb: ThrowawayMariaDB) -> None:
    fields = visitor.form() | {"author": "Ada", "message": "hello"}
    assert visitor.get("/healthz").status == 200
    mariadb.kill()
    try:
        assert visitor.get("/healthz").status == 503
        assert visitor.get("/healthz?live=1").status == 200
        for answer in (visitor.get("/"), visitor.sign(**fields)):
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert "SQLSTATE" not in answer.text and "tester" not in answer.text
    finally:
        mariadb.start()


def test_whoami_believes_only_the_last_proxy(visitor: Visitor) -> None:
    seen = json.loads(
        visitor.get(
            "/whoami",
            **{
                "X-Forwarded-For": "198.51.100.9, 203.0.113.7",
                "X-Forwarded-Proto": "https",
                "X-Forwarded-Host": "guests.example",
            },
        ).text
    )
    assert (seen["remote_address"], seen["scheme"], seen["host"]) == (
        "203.0.113.7",
        "https",
        "guests.example",
    )


def test_static_files_and_what_is_not_there(visitor: Visitor) -> None:
    assert "font" in visitor.get("/static/guestbook.css").text
    assert visitor.get("/nowhere").status == 404
