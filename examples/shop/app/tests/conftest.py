"""The shop on a real MariaDB of its own. Without the `mariadb-server` package: skipped, aloud."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from throwaway_mariadb import ThrowawayMariaDB, missing_programs
from werkzeug.test import TestResponse


@pytest.fixture(scope="session")
def mariadb() -> Iterator[ThrowawayMariaDB]:
    if missing := missing_programs():
        pytest.skip(f"NOT TESTED: {', '.join(missing)} not found; apt-get install mariadb-server")
    with tempfile.TemporaryDirectory(prefix="shop-test-") as directory:
        server = ThrowawayMariaDB(Path(directory), name="shop")
        try:
            yield server
        finally:
            server.destroy()


@pytest.fixture(scope="session")
def environment(mariadb: ThrowawayMariaDB) -> dict[str, str]:
    """What the platform hands the application."""
    given = {
        "DATABASE_URL": mariadb.url,
        "DATABASE_URL_READONLY": mariadb.url,
        "SECRET_KEY": "only for tests",
    }
    os.environ.update(given)
    return given


@pytest.fixture
def app(mariadb: ThrowawayMariaDB, environment: dict[str, str]) -> Flask:
    """A new application on a freshly filled shop."""
    from shop import create_app, migrate

    mariadb.sql("DROP DATABASE shop; CREATE DATABASE shop")
    assert migrate.main() == 0
    return create_app()


class Browser:
    """A visitor over HTTPS: cookies are kept, forms are posted with the token of the page they stand on."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, base_url="https://shop.test")

    def post(self, path: str, **fields: object) -> TestResponse:
        return self.client.post(path, base_url="https://shop.test", data=fields)

    def hidden(self, path: str, name: str) -> str:
        """A hidden field's value on a page."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.get(path).text)
        assert found, f"no {name} on {path}"
        return found[1]


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)
