"""Where the database lies on a host. Shared by the products mariadb, keeper and sqlproxy."""

from __future__ import annotations

STATE = "/var/lib/bastide/database"
"""Everything that the database writes, on one file system: a new data directory is made beside the old place and
renamed. Not /var/lib/mysql: Debian's package fills that when it is installed, so it is never empty, and what a user
may already have there stays untouched."""
DATA = f"{STATE}/data"
RECORD = f"{DATA}/bastide.json"
"""Present when the data directory is whole."""
HOSTS = f"{STATE}/hosts"
STOCK_DATA = "/var/lib/mysql"
SERVER_SOCKET = "/run/mysqld/mysqld.sock"
SERVER_CONFIG = "/etc/bastide/mariadb/mariadb.cnf"
SERVER_TLS = "/etc/bastide/mariadb/tls"
KEEPER_SOCKET = "/run/keeper/status.sock"
SEED_SOCKET = "/run/bastide-seed/seed.sock"
START_REQUEST = "/run/bastide-keeper/start-mariadb"
PERMIT = "/run/bastide-keeper/permit"
SESSION = "/run/bastide-keeper/session.json"
CONTROL_SOCKET = "/run/bastide-keeper/control.sock"
FENCE_SOCKET = "/run/bastide-fence/fence.sock"
KEEPER_PROGRAM = "/etc/bastide/keeper/keeper.pyz"
EXPORTER_USER = "exporter"
"""System user of mysqld_exporter, and its account in the database, which the unix socket ties together."""
GRANT = "/run/bastide/grants/database-initialise"


def peer_status_socket(host: str) -> str:
    """The local proxy's socket that leads to a peer's keeper."""
    return f"/run/sqlproxy/status-{host}.sock"


ANNOUNCE_SOCKET = "/run/sqlproxy/announce.sock"
"""Where the local proxy of an application host takes what it is told about databases."""


def announce_socket(host: str) -> str:
    """The local proxy's socket that leads to an application host's proxy."""
    return f"/run/sqlproxy/announce-{host}.sock"


def peer_seed_socket(host: str) -> str:
    """The local proxy's socket that leads to a peer's copy stream."""
    return f"/run/sqlproxy/seed-{host}.sock"
