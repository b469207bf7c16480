<?php
/**
 * The guestbook's database: reads that may lag, writes that happen once.
 *
 * A write is tried again for about 3 s while the server is read-only or gone, which is safe only because the
 * idempotency key is UNIQUE: nobody can say whether a write on a lost connection was carried out.
 */
declare(strict_types=1);

final class Unavailable extends RuntimeException
{
}

final class Database
{
    private const WRITE_BUDGET_S = 3.0;
    private const DUPLICATE_KEY = 1062;
    /** read-only server · lost · not connected · shutting down · lock timeout · deadlock · busy */
    private const RETRY = [1290, 2006, 2013, 2002, 2003, 1053, 1927, 1205, 1213, 1040, 1047];

    /** A new connection to the database that an environment variable names. */
    public static function connect(string $variable, int $timeout_s = 3, int $query_timeout_s = 10): PDO
    {
        $url = parse_url(setting($variable));
        if (!is_array($url) || ($url['scheme'] ?? '') !== 'mysql' || !isset($url['host'], $url['path'])) {
            throw new LogicException("$variable must look like mysql://user:password@host:port/database");
        }
        ini_set('mysqlnd.net_read_timeout', (string) $query_timeout_s);
        return new PDO(
            sprintf('mysql:host=%s;port=%d;dbname=%s;charset=utf8mb4', $url['host'], $url['port'] ?? 3306,
                rawurldecode(trim($url['path'], '/'))),
            rawurldecode($url['user'] ?? ''),
            rawurldecode($url['pass'] ?? ''),
            [
                PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
                PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
                PDO::ATTR_EMULATE_PREPARES => false,
                PDO::ATTR_TIMEOUT => $timeout_s,
            ],
        );
    }

    /** Rows from a replica, or from the primary when no replica answers. */
    public static function read(string $sql, array $values = []): array
    {
        if (optional_setting('DATABASE_URL_READONLY') !== '') {
            try {
                // a shorter wait than for the primary, since there is another place to ask
                $replica = self::connect('DATABASE_URL_READONLY', query_timeout_s: 3);
                return self::rows($replica, $sql, $values);
            } catch (PDOException $error) {
                error_log('replica failed, reading from the primary: ' . $error->getMessage());
            }
        }
        return self::readFresh($sql, $values);
    }

    /** Rows from the primary: sees everything that was written before. */
    public static function readFresh(string $sql, array $values = []): array
    {
        try {
            return self::rows(self::connect('DATABASE_URL'), $sql, $values);
        } catch (PDOException $error) {
            throw new Unavailable($error->getMessage(), 0, $error);
        }
    }

    /** Insert a row with a unique key; false when the key was there already. */
    public static function insertOnce(string $sql, array $values): bool
    {
        $deadline = microtime(true) + self::WRITE_BUDGET_S;
        for ($pause_ms = 50; ; $pause_ms = min($pause_ms * 2, 400)) {
            try {
                self::connect('DATABASE_URL')->prepare($sql)->execute($values);
                return true;
            } catch (PDOException $error) {
                $code = (int) ($error->errorInfo[1] ?? $error->getCode());
                if ($code === self::DUPLICATE_KEY) {
                    return false;
                }
                if (!in_array($code, self::RETRY, true) || microtime(true) + $pause_ms / 1000 > $deadline) {
                    throw new Unavailable($error->getMessage(), 0, $error);
                }
            }
            usleep(random_int(500, 1000) * $pause_ms);
        }
    }

    private static function rows(PDO $connection, string $sql, array $values): array
    {
        $statement = $connection->prepare($sql);
        $statement->execute($values);
        return $statement->fetchAll();
    }
}

/** An environment variable, whether the server hands it over as a parameter or as real environment. */
function optional_setting(string $name): string
{
    return (string) ($_SERVER[$name] ?? getenv($name) ?: '');
}

function setting(string $name): string
{
    $value = optional_setting($name);
    if ($value === '') {
        throw new LogicException("the environment variable $name is not set");
    }
    return $value;
}
