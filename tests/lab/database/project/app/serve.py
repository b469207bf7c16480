"""An application that only says that it lives; the load writes to its database from beside it."""

import http.server
import os


class Alive(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok\n")


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Alive).serve_forever()
