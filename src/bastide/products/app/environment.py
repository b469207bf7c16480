"""The application's environment variables, secrets among them.

In: a HostContext. Out: variables by name.
Holds: what the spec sets wins over what we add; the database is only ever named by loopback addresses.
"""

from __future__ import annotations

from urllib.parse import quote

from bastide.products.context import HostContext
from bastide.topology.flows import LOCAL_PRIMARY, LOCAL_REPLICA


def derive_environment(context: HostContext) -> dict[str, str]:
    """Variables of the application on that host."""
    app, secrets = context.spec.app, context.materials.secrets
    return {
        **_database_urls(context),
        **app.environment,
        **{name: secrets[f"app.{name}"] for name in app.secrets},
    }


def _database_urls(context: HostContext) -> dict[str, str]:
    database = context.spec.database
    if database is None:
        return {}
    password = quote(context.materials.secrets["database.password"], safe="")
    base = f"mysql://{database.user}:{password}@127.0.0.1"
    return {
        "DATABASE_URL": f"{base}:{LOCAL_PRIMARY}/{database.name}",
        "DATABASE_URL_READONLY": f"{base}:{LOCAL_REPLICA}/{database.name}",
    }
