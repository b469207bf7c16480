<?php
/**
 * A guestbook. Every request that is not a static file comes here.
 *
 * GET / the entries · POST / a new one, once for each idempotency key · GET /api/entries ·
 * GET /healthz · GET /whoami
 */
declare(strict_types=1);

if (PHP_SAPI === 'cli-server' && is_file(__DIR__ . parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH))) {
    return false; // `php -S` serves static files itself, if told to
}

ini_set('display_errors', '0'); // failures are for the log, not for visitors
header('Cache-Control: no-store');
header("Content-Security-Policy: default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
header_remove('X-Powered-By');

foreach (['Database', 'Visitor', 'Page'] as $part) {
    require __DIR__ . "/../src/$part.php";
}

const NEWEST = 'SELECT author, message, created_at FROM entries ORDER BY created_at DESC, idempotency_key LIMIT 50';

try {
    $method = $_SERVER['REQUEST_METHOD'] === 'HEAD' ? 'GET' : $_SERVER['REQUEST_METHOD'];
    match ($method . ' ' . parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
        'GET /' => show(),
        'POST /' => sign(),
        'GET /api/entries' => json(['entries' => Database::read(NEWEST)]),
        'GET /healthz' => health(),
        'GET /whoami' => whoami(),
        default => page('<h1>Not found</h1><p><a href="/">To the guestbook</a></p>', 404),
    };
} catch (Unavailable $error) {
    error_log('unavailable: ' . $error->getMessage());
    header('Retry-After: 1');
    page('<h1>We will be right back</h1><p>Please try again in a moment.</p>', 503);
} catch (Throwable $error) {
    error_log((string) $error);
    page('<h1>Something broke</h1><p>It has been written down.</p>', 500);
}

function show(): void
{
    // Who has just signed wants to see it: then from the primary, which a replica may not have caught up with.
    $entries = isset($_GET['signed']) ? Database::readFresh(NEWEST) : Database::read(NEWEST);
    guestbook_page($entries, Visitor::recognise(), key: bin2hex(random_bytes(16)));
}

function sign(): void
{
    $visitor = Visitor::recognise();
    if (!$visitor->sent(field('csrf', 64))) {
        page('<h1>Forbidden</h1><p>This form has expired. Please <a href="/">load it again</a>.</p>', 403);
        return;
    }
    $key = field('idempotency_key', 64);
    [$author, $message] = [field('author', 80), field('message', 1000)];
    if (preg_match('/^[A-Za-z0-9._:-]{1,64}\z/', $key) !== 1) {
        page('<h1>Bad request</h1><p>This form is incomplete.</p>', 400);
        return;
    }
    if ($author === '' || $message === '') {
        $typed = ['author' => $author, 'message' => $message];
        guestbook_page(Database::read(NEWEST), $visitor, $key, 'Please fill in your name and a message.', $typed);
        return;
    }
    $new = Database::insertOnce(
        'INSERT INTO entries (idempotency_key, author, message) VALUES (?, ?, ?)', [$key, $author, $message],
    );
    header('Location: /?signed=' . ($new ? 'now' : 'before'), true, 303);
}

function health(): void
{
    if (isset($_GET['live'])) {
        json(['status' => 'alive']);
        return;
    }
    try {
        Database::connect('DATABASE_URL', timeout_s: 1, query_timeout_s: 1)->query('SELECT 1');
        json(['status' => 'ok']);
    } catch (PDOException $error) {
        json(['status' => 'unavailable', 'reason' => 'database: ' . $error->getMessage()], 503);
    }
}

function whoami(): void
{
    json([
        'host_name' => gethostname(),
        'pid' => getmypid(),
        'remote_address' => forwarded('FOR') ?: $_SERVER['REMOTE_ADDR'],
        'scheme' => forwarded('PROTO') ?: (empty($_SERVER['HTTPS']) ? 'http' : 'https'),
        'host' => forwarded('HOST') ?: $_SERVER['HTTP_HOST'] ?? '',
    ]);
}

/** What the one proxy in front of us says; whatever stands before its own word, a visitor may have invented. */
function forwarded(string $what): string
{
    $values = explode(',', $_SERVER["HTTP_X_FORWARDED_$what"] ?? '');
    return trim(end($values));
}

/** A form field: text, trimmed, valid UTF-8, at most so many characters. */
function field(string $name, int $length): string
{
    $value = is_string($_POST[$name] ?? null) ? $_POST[$name] : '';
    return preg_match('/^.{0,' . $length . '}/us', trim($value), $found) === 1 ? $found[0] : '';
}
