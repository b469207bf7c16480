"""Run once a release before it serves; repeatable. bastide runs it again until the database is there."""

from shop import connect

with connect() as connection, connection.cursor() as cursor:
    cursor.execute("CREATE TABLE IF NOT EXISTS visits (id INT PRIMARY KEY, total BIGINT NOT NULL) ENGINE=InnoDB")
    cursor.execute("INSERT IGNORE INTO visits VALUES (1, 0)")
