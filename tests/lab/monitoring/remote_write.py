"""A remote write by hand, from a host, with that host's own certificate.

In: labels and moments. Out: the monitor's status for each sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.lab.monitoring.watched import Watched

# Protobuf, and snappy that packs nothing: a host has no library for either.
_PROGRAM = """
import json, socket, ssl, struct
labels, times = {labels}, {times}
def varint(n):
    out = b""
    while n > 127: out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])
def field(tag, content): return bytes([tag]) + varint(len(content)) + content
named = b"".join(field(10, field(10, n.encode()) + field(18, v.encode())) for n, v in labels.items())
settings = json.load(open("/etc/bastide/agent/settings.json"))
context = ssl.create_default_context(cafile=settings["tls"]["root"])
context.load_cert_chain(settings["tls"]["certificate"], settings["tls"]["key"])
monitor = settings["monitors"][0]
host, port = monitor["url"].removeprefix("https://").split(":")
wire = context.wrap_socket(socket.create_connection((host, int(port)), 60), server_hostname=monitor["server_name"])
answers = wire.makefile("rb")
for t in times:
    sample = b"\\x09" + struct.pack("<d", 1.0) + b"\\x10" + varint(t * 1000)
    plain = field(10, named + field(18, sample))
    body = varint(len(plain)) + b"\\xf4" + struct.pack("<H", len(plain) - 1) + plain
    head = "POST /prometheus/api/v1/write HTTP/1.1\\r\\nHost: monitor\\r\\nContent-Encoding: snappy\\r\\n"
    wire.sendall(f"{{head}}Content-Length: {{len(body)}}\\r\\n\\r\\n".encode() + body)
    print(answers.readline().split()[1].decode())
    size = 0
    while (line := answers.readline()) != b"\\r\\n":
        name, _, value = line.partition(b":")
        size = int(value) if name.lower() == b"content-length" else size
    answers.read(size)
"""


def write_series(watched: Watched, host: str, labels: Mapping[str, str], times_s: Sequence[int]) -> list[str]:
    """Write one series from that host; one status for each moment."""
    program = _PROGRAM.format(labels=dict(labels), times=list(times_s))
    return watched.commands.ask(host, f"python3 - <<'END'\n{program}\nEND").split()
