"""A web server for tests: name, address, port, journal, and for mutual TLS its PEM and the authority's.

It answers what it received as JSON. /die and /die-later end the process once the request is in, /hang never
answers, /pause takes its time, /status/NNN answers NNN; every request is written to the journal first (method,
path, connection).
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from pathlib import Path

NAME, ADDRESS, PORT = sys.argv[1:4]
JOURNAL = Path(sys.argv[4])
CONNECTIONS = 0


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    global CONNECTIONS
    CONNECTIONS += 1
    number = CONNECTIONS
    try:
        while await answer(reader, writer, number):
            pass
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = [line.split(": ", 1) for line in head[1:] if line]
    length = next((int(v) for k, v in headers if k.lower() == "content-length"), 0)
    body = await reader.readexactly(length)
    if path == "/.bastide/health":
        await send(writer, 200, b"ok")
        return True
    with JOURNAL.open("a") as journal:
        journal.write(f"{method}\t{path}\t{number}\n")
    if path == "/die":
        os._exit(1)
    if path == "/die-later":
        await asyncio.sleep(0.1)
        os._exit(1)
    if path == "/pause":
        await asyncio.sleep(0.2)
    if path == "/hang":
        await asyncio.sleep(60)
    status = int(path.rsplit("/", 1)[1]) if path.startswith("/status/") else 200
    seen = {"web": NAME, "method": method, "path": path, "headers": headers, "body": len(body)}
    await send(writer, status, json.dumps(seen).encode(), head=method == "HEAD")
    return True


async def send(writer: asyncio.StreamWriter, status: int, body: bytes, *, head: bool = False) -> None:
    writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + (b"" if head else body))
    await writer.drain()


async def main() -> None:
    tls = None
    if len(sys.argv) > 5:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=sys.argv[6])
        tls.load_cert_chain(sys.argv[5])
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
    server = await asyncio.start_server(converse, ADDRESS, int(PORT), ssl=tls)
    await server.serve_forever()


asyncio.run(main())
