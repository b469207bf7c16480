"""What receives notifications, in the client machine: HTTP posts on 9999, mail by SMTP with STARTTLS and login on 2525.

In: files of a certificate, its key, and the password. Out: /run/told, one JSON line for each: `{"path", "body"}` or
`{"mail", "from", "to", "user"}`.
Holds: a mail is taken only inside TLS and after a login, as a real relay does. Standard library only.
"""

from __future__ import annotations

import base64
import http.server
import json
import socketserver
import ssl
import sys
import threading
from pathlib import Path

TOLD = Path("/run/told")
_LOCK = threading.Lock()


def note(entry: dict[str, object]) -> None:
    with _LOCK, TOLD.open("a") as stream:
        stream.write(json.dumps(entry) + "\n")


class Posts(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        note({"path": self.path, "body": json.loads(body)})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


class Relay(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def __init__(self, certificate: str, key: str, password: str) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.password = password
        super().__init__(("", 2525), Mail)


class Mail(socketserver.StreamRequestHandler):
    server: Relay

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def handle(self) -> None:
        secure, user, sender = False, "", ""
        to: list[str] = []
        self.say("220 sink")
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            match verb.upper():
                case "EHLO" | "HELO":
                    self.say("250-sink", "250 AUTH PLAIN" if secure else "250 STARTTLS")
                case "STARTTLS":
                    self.say("220 go on")
                    self.request = self.server.context.wrap_socket(self.request, server_side=True)
                    self.rfile = self.request.makefile("rb")
                    self.wfile = self.request.makefile("wb", 0)
                    secure = True
                case "AUTH":
                    name, password = base64.b64decode(rest.split()[1]).decode().split("\0")[1:]
                    user = name if password == self.server.password else ""
                    self.say("235 welcome" if user else "535 no")
                case "MAIL":
                    sender = rest
                    self.say("250 ok" if secure and user else "530 log in first")
                case "RCPT":
                    to.append(rest)
                    self.say("250 ok")
                case "DATA":
                    self.say("354 go on")
                    text = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        text += part
                    note({"mail": text.decode(), "from": sender, "to": to, "user": user})
                    self.say("250 kept")
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("502 no")


def main() -> None:
    certificate, key, password = sys.argv[1:]
    relay = Relay(certificate, key, Path(password).read_text())
    threading.Thread(target=relay.serve_forever, daemon=True).start()
    http.server.ThreadingHTTPServer(("", 9999), Posts).serve_forever()


if __name__ == "__main__":
    main()
