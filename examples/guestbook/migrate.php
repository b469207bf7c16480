<?php
/**
 * Bring the database to the schema that this code needs: `php migrate.php`.
 *
 * As often as you like, on as many hosts at once as you like. Waits up to 60 s for a database that is still
 * starting. A run that has nothing to do writes nothing.
 */
declare(strict_types=1);

require __DIR__ . '/src/Database.php';

const HOPELESS = [1044, 1045, 1064, 1142, 1698]; // no such user, no right to this, a mistake in the SQL

$deadline = microtime(true) + (float) (getenv('MIGRATE_PATIENCE_S') ?: 60);
while (true) {
    try {
        $connection = Database::connect('DATABASE_URL', query_timeout_s: 60);
        $there = $connection->query("SHOW TABLES LIKE 'entries'")->fetch();
        if (!$there) {
            $connection->exec(
                'CREATE TABLE IF NOT EXISTS entries (
                    idempotency_key VARCHAR(64) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
                    author VARCHAR(80) NOT NULL,
                    message VARCHAR(1000) NOT NULL,
                    created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                    KEY newest (created_at)
                ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4'
            );
        }
        echo $there ? "migrate: nothing to do\n" : "migrate: created the table\n";
        exit(0);
    } catch (PDOException $error) {
        $code = (int) ($error->errorInfo[1] ?? $error->getCode());
        if (in_array($code, HOPELESS, true) || microtime(true) > $deadline) {
            fwrite(STDERR, 'migrate: gave up: ' . $error->getMessage() . "\n");
            exit(1);
        }
        sleep(1);
    } catch (LogicException $error) {
        fwrite(STDERR, 'migrate: ' . $error->getMessage() . "\n");
        exit(1);
    }
}
