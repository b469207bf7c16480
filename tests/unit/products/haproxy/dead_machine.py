"""Run in a network namespace of its own: a web server's machine vanishes under load without a reset.

Prints JSON: what clients were told (method, path, status or error, how often), and the longest wait in seconds.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from tests.unit.products.haproxy import scene

CHAIN = "add table inet t; add chain inet t i { type filter hook input priority 0; }"
UNLIMITED = {"requests": 10**6, "connections": 1000, "handshakes": 10**6}


def load(
    edge: scene.Edge, method: str, path: str, until: threading.Event, told: Counter[str], waits: list[float]
) -> None:
    client = edge.client()
    while not until.is_set():
        begun = time.monotonic()
        try:
            client.request(method, path)
            response = client.getresponse()
            response.read()
            told[f"{method} {path} {response.status}"] += 1
        except (OSError, http.client.HTTPException) as error:
            told[f"{method} {path} {type(error).__name__}"] += 1
            client.close()
            client = edge.client()
        waits.append(time.monotonic() - begun)
    client.close()


def main(root: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    context = scene.context(ports=scene.moved_ports(), balancer={"rate_limit": UNLIMITED})
    until, told, waits = threading.Event(), Counter[str](), list[float]()
    with contextlib.ExitStack() as stack:
        for name in ("web1", "web2"):
            stack.enter_context(scene.web_server(context, name, root))
        edge = stack.enter_context(scene.edge(context, root))
        # /pause takes 0.2 s at the web server: those requests were received by the machine that vanishes.
        paths = ("/a", "/b", "/pause", "/pause")
        clients = [threading.Thread(target=load, args=(edge, "GET", path, until, told, waits)) for path in paths]
        for client in clients:
            client.start()
        time.sleep(1)
        for direction in ("saddr", "daddr"):
            subprocess.run(["nft", f"{CHAIN}; add rule inet t i ip {direction} 127.0.0.2 drop"], check=True)
        time.sleep(5)
        until.set()
        for client in clients:
            client.join()
    print(json.dumps({"told": told, "longest": max(waits)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
