"""Wait until HAProxy has asked each server once. Runs on hosts, after a start: until then every server counts as up,
and a replica would be offered as the primary.

In: path of the admin socket. Out: nothing; ends after WITHIN_S whatever was found, as a server that does not answer
must not keep those from serving that do.
"""

import csv
import socket
import sys
import time

WITHIN_S = 2.5
EVERY_S = 0.02
NOT_YET = "INI"
"""What HAProxy's statistics say of a check that has not ended yet, with or without `* ` before it."""


def ask(admin_socket: str) -> str:
    """Statistics of all servers, as CSV."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect(admin_socket)
        connection.sendall(b"show stat -1 4 -1\n")
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return answer.decode().removeprefix("# ")


def waiting(statistics: str) -> bool:
    """Whether a server was not asked yet."""
    return any(row["check_status"].endswith(NOT_YET) for row in csv.DictReader(statistics.splitlines()))


def main(admin_socket: str) -> None:
    """Ask again and again."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        if not waiting(ask(admin_socket)):
            return
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
