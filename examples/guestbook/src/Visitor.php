<?php
/**
 * Who is asking: a random name in a signed cookie, the same on every host that knows SECRET_KEY.
 *
 * There is no session store. The CSRF token is derived from the cookie's name, so that every host can check it,
 * and a page of another site, which cannot read the cookie, cannot know it.
 */
declare(strict_types=1);

final class Visitor
{
    private const COOKIE = 'guestbook';

    private function __construct(private readonly string $name)
    {
    }

    /** The visitor whom the cookie names, or a new one, who is handed a cookie. */
    public static function recognise(): self
    {
        $parts = explode('.', is_string($_COOKIE[self::COOKIE] ?? null) ? $_COOKIE[self::COOKIE] : '');
        if (count($parts) === 2 && hash_equals(self::sign('visitor', $parts[0]), $parts[1])) {
            return new self($parts[0]);
        }
        $name = bin2hex(random_bytes(16));
        setcookie(self::COOKIE, $name . '.' . self::sign('visitor', $name), [
            'path' => '/', 'secure' => true, 'httponly' => true, 'samesite' => 'Lax',
        ]);
        return new self($name);
    }

    public function csrfToken(): string
    {
        return self::sign('csrf', $this->name);
    }

    public function sent(string $token): bool
    {
        return hash_equals($this->csrfToken(), $token);
    }

    private static function sign(string $purpose, string $text): string
    {
        return hash_hmac('sha256', "$purpose:$text", setting('SECRET_KEY'));
    }
}
