"""Keep what HAProxy knows of its servers for the process that replaces it. Runs on hosts, before each reload.

In: paths of the admin socket and of the state file. Out: the file. Without it a reload takes every server for up
until its first check, and a replica would be offered as the primary for half a second.
"""

import os
import socket
import sys


def main(admin_socket: str, state_file: str) -> None:
    """Ask, write beside, rename."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect(admin_socket)
        connection.sendall(b"show servers state\n")
        answer = b""
        while block := connection.recv(65536):
            answer += block
    with open(f"{state_file}.new", "wb") as file:  # noqa: PTH123
        file.write(answer)
    os.replace(f"{state_file}.new", state_file)  # noqa: PTH105


if __name__ == "__main__":
    main(*sys.argv[1:])
