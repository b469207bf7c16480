"""Answers GET with a greeting, and POST after a moment: long enough that a restart would meet one on its way.

It ends at once when it is told to, as careless programs do: whoever restarts it must have waited.
"""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GREETING = os.environ["GREETING"].encode()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200, GREETING)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(0.15)
        self.answer(201, GREETING)

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
