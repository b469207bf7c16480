"""TLS conversations with one listener, each with another certificate.

In: address, name, root, certificates. Out: for each try what the listener answered to a question, or how it refused.
Holds: keys are in memory only (a file without a name); the server is verified in every try.
"""

import os
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_PATIENCE_S = 20.0


def shake_hands(request: "Mapping[str, Any]") -> "dict[str, str]":
    """`address`, `port`, `name`, `root`, `question` (text; empty: the server speaks first); `tries`: label ->
    {certificate, key, newest}. A label `plain` speaks no TLS."""
    tries = request["tries"]
    # At the same time: a listener that says nothing to plaintext is waited for.
    with ThreadPoolExecutor(max_workers=8) as pool:
        begun = {label: pool.submit(_try_one, request, label, one) for label, one in tries.items()}
        return {label: future.result() for label, future in begun.items()}


def _try_one(request: "Mapping[str, Any]", label: str, one: "Mapping[str, str]") -> str:
    try:
        with socket.create_connection((request["address"], int(request["port"])), timeout=_PATIENCE_S) as raw:
            if label == "plain":
                return _converse(raw, str(request["question"] or "\r\n"))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata=str(request["root"]))
            if one.get("newest"):
                context.maximum_version = ssl.TLSVersion[one["newest"]]
            if one.get("certificate"):
                _load(context, one["certificate"] + one["key"])
            with context.wrap_socket(raw, server_hostname=str(request["name"])) as wire:
                return _converse(wire, str(request["question"]))
    except ssl.SSLCertVerificationError as error:
        return f"server not believed: {error.verify_message}"
    except ssl.SSLError as error:
        return f"refused: {error.reason}"
    except OSError as error:
        return f"refused: {error.strerror or error}"


def _converse(wire: socket.socket, question: str) -> str:
    if question:
        wire.sendall(question.encode())
    said = wire.recv(200)
    if said.startswith(b"HTTP/"):
        return said.decode("latin-1").split("\r\n")[0][:80]
    # What a database says may be data: it is no part of a proof.
    return "it speaks" if said else "refused: closed"


def _load(context: ssl.SSLContext, pem: str) -> None:
    held = os.memfd_create("pair")
    try:
        os.write(held, pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{held}")
    finally:
        os.close(held)
