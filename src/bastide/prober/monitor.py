"""What monitoring knows on this host: counted requests, alerts, records of the hub.

In: ports of loopback listeners, what to look for. Out: plain values. Raises OSError.
"""

import json
import re
import subprocess
import urllib.request
from collections.abc import Mapping
from typing import Any

_LINE = re.compile(r"(haproxy|nginx)_http_requests_total\{([^}]*)\} (\d+)")
_PATIENCE_S = 10


def count_requests(request: "Mapping[str, Any]") -> "dict[str, int]":
    """`port`, `method`: how many requests of that method each service here was counted to have had."""
    counts: dict[str, int] = {}
    for kind, labels, value in _LINE.findall(_get(f"http://127.0.0.1:{request['port']}/metrics")):
        if f'method="{request["method"]}"' in labels:
            named = re.search(r'service="([^"]+)"', labels)
            service = "edge" if kind == "haproxy" else named[1] if named else "web"
            counts[service] = counts.get(service, 0) + int(value)
    return counts


def provoke_alert(request: "Mapping[str, Any]") -> str:
    """`port`, `alert`: labels, annotations and times, as Alertmanager takes them."""
    body = json.dumps([request["alert"]]).encode()
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"http://127.0.0.1:{request['port']}/api/v2/alerts", body, headers)
    with urllib.request.urlopen(asked, timeout=_PATIENCE_S) as answer:  # noqa: S310 - loopback
        return str(answer.status)


def list_alerts(request: "Mapping[str, Any]") -> "list[str]":
    """`port`: names of the alerts that Alertmanager holds."""
    return [
        alert["labels"]["alertname"]
        for alert in json.loads(_get(f"http://127.0.0.1:{request['port']}/api/v2/alerts"))
    ]


def ask_hub(request: "Mapping[str, Any]") -> Any:
    """`argv`: the hub's own program and question. Out: its JSON."""
    done = subprocess.run(request["argv"], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip()[-200:])
    return json.loads(done.stdout)


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=_PATIENCE_S) as answer:  # noqa: S310 - loopback
        return str(answer.read().decode())
