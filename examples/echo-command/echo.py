"""An application that is just a command: it listens on 127.0.0.1, on the port that PORT names, until SIGTERM.

GET /healthz: 200. Any other path, any method: what was asked, as JSON, so that one can see what arrived.
"""

import json
import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

BODY_LIMIT = 64 * 1024


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "echo"
    sys_version = ""
    timeout = 30  # an idle connection does not hold a thread for ever

    def answer(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", 0))
        except ValueError:
            length = -1
        if not 0 <= length <= BODY_LIMIT or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # the rest of the body is still on the wire
            self.say(413, {"error": f"a body of at most {BODY_LIMIT} bytes, with its Content-Length"})
            return
        body = self.rfile.read(length)
        if self.path.partition("?")[0] == "/healthz":
            self.say(200, {"status": "ok"})
            return
        self.say(
            200,
            {
                "host_name": socket.gethostname(),
                "pid": os.getpid(),
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body.decode("utf-8", errors="replace"),
            },
        )

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # the names that http.server calls

    def say(self, status: int, text: dict[str, object]) -> None:
        body = json.dumps(text).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The web server in front writes the access log."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128


def stop(signal_number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, stop)
    with Server(("127.0.0.1", int(os.environ["PORT"])), Echo) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
