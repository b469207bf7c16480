"""The schema, as numbered steps, and the goods on the first day.

Holds: a step that was ever released is never changed, only followed by another. Each statement can be run
twice. Every table is InnoDB with a primary key, which replication needs.
"""

import csv
from pathlib import Path
from typing import Any

Statement = tuple[str, list[tuple[Any, ...]]]
"""SQL and the rows to run it with; no rows: run it once as it is."""

with (Path(__file__).parent / "goods.csv").open(newline="", encoding="utf-8") as file:
    GOODS: list[tuple[Any, ...]] = [tuple(row.values()) for row in csv.DictReader(file)]

MIGRATIONS: dict[int, list[Statement]] = {
    1: [
        (
            """CREATE TABLE IF NOT EXISTS schema_migrations (
                version INT UNSIGNED NOT NULL PRIMARY KEY,
                applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
            ) ENGINE=InnoDB""",
            [],
        ),
        (
            """CREATE TABLE IF NOT EXISTS products (
                id INT UNSIGNED NOT NULL PRIMARY KEY,
                slug VARCHAR(40) COLLATE utf8mb4_bin NOT NULL UNIQUE,
                icon VARCHAR(20) NOT NULL,
                price_cents INT UNSIGNED NOT NULL,
                stock INT UNSIGNED NOT NULL,
                name VARCHAR(80) NOT NULL,
                description VARCHAR(400) NOT NULL
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""",
            [],
        ),
        (
            """CREATE TABLE IF NOT EXISTS orders (
                id CHAR(16) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
                idempotency_key VARCHAR(64) COLLATE utf8mb4_bin NOT NULL UNIQUE,
                name VARCHAR(200) NOT NULL,
                email VARCHAR(200) NOT NULL,
                address VARCHAR(200) NOT NULL,
                total_cents BIGINT UNSIGNED NOT NULL,
                created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""",
            [],
        ),
        (
            """CREATE TABLE IF NOT EXISTS order_items (
                order_id CHAR(16) COLLATE utf8mb4_bin NOT NULL,
                product_id INT UNSIGNED NOT NULL,
                name VARCHAR(80) NOT NULL,
                price_cents INT UNSIGNED NOT NULL,
                quantity INT UNSIGNED NOT NULL,
                PRIMARY KEY (order_id, product_id)
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""",
            [],
        ),
        (
            """CREATE TABLE IF NOT EXISTS ledger (
                id VARCHAR(64) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
                value VARCHAR(255) NOT NULL,
                created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""",
            [],
        ),
        (
            "INSERT IGNORE INTO products (id, slug, icon, price_cents, stock, name, description)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            GOODS,
        ),
    ],
}
