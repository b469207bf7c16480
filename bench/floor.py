"""The bare floor: one SSH connection a host, all at once, and one command there that hashes the same files.

In: endpoints, files by host. Out: seconds. Nothing that looks at hosts over SSH can be faster than this.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence

from bastide.transport.endpoint import Endpoint, ssh_argv


def hash_everywhere(endpoints: Mapping[str, Endpoint], files: Mapping[str, Sequence[str]], *, fresh: bool) -> float:
    """Seconds until every host has answered. `fresh`: over a connection that is opened for it."""
    began = time.monotonic()
    running = []
    for host, endpoint in endpoints.items():
        line = shlex.join(["sha256sum", *files[host]])
        running.append(
            subprocess.Popen(
                [*ssh_argv(endpoint, fresh=fresh), line],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for child, (host, paths) in zip(running, files.items(), strict=True):
        said, _ = child.communicate()
        assert len(said.splitlines()) == len(paths), f"{host} hashed {said}"
    return time.monotonic() - began
