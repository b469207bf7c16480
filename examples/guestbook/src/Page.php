<?php
/** HTML and JSON answers. Everything that came from outside goes through e(). */
declare(strict_types=1);

function e(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

function json(array $answer, int $status = 200): void
{
    http_response_code($status);
    header('Content-Type: application/json');
    echo json_encode($answer, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}

function page(string $body, int $status = 200): void
{
    http_response_code($status);
    header('Content-Type: text/html; charset=utf-8');
    echo <<<HTML
    <!doctype html>
    <html lang="en">
    <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>Guestbook</title>
      <link rel="stylesheet" href="/static/guestbook.css">
    </head>
    <body><main>$body</main></body>
    </html>

    HTML;
}

function guestbook_page(array $entries, Visitor $visitor, string $key, string $problem = '', array $typed = []): void
{
    $items = '';
    foreach ($entries as $entry) {
        $items .= sprintf("<li><p>%s</p><cite>%s, <time>%s</time></cite></li>\n",
            nl2br(e($entry['message'])), e($entry['author']), e($entry['created_at']));
    }
    $items = $items ?: '<li>Nobody has written yet. Be the first.</li>';
    $problem = $problem === '' ? '' : '<p class="problem" role="alert">' . e($problem) . '</p>';
    $author = e($typed['author'] ?? '');
    $message = e($typed['message'] ?? '');
    page(<<<HTML
    <h1>Guestbook</h1>
    $problem
    <form method="post" action="/">
      <input type="hidden" name="csrf" value="{$visitor->csrfToken()}">
      <input type="hidden" name="idempotency_key" value="$key">
      <label>Your name <input name="author" value="$author" required maxlength="80" autocomplete="name"></label>
      <label>What you want to say <textarea name="message" required maxlength="1000" rows="4">$message</textarea></label>
      <button>Sign the guestbook</button>
    </form>
    <ol>$items</ol>
    HTML, $problem === '' ? 200 : 400);
}
