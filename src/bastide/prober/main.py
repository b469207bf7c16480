"""Questions to a host, one after the other, in one process that leaves nothing: the program itself is in memory only.

In: JSON lines on standard input: `op` and its fields. Out: JSON lines; the last one to a question has `result` or
`error`. Ends with standard input. Holds: what a question changed for a moment is put back, also when the process is told
to end.
"""

import json
import signal
import sys
from typing import Any


def say(document: "dict[str, Any]") -> None:
    """One line."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer until nobody asks any more."""
    from bastide.prober import operations

    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))  # so that what stands in `finally` happens
    for line in iter(sys.stdin.buffer.readline, b""):
        if not line.strip():
            continue  # told to end what had failed already
        try:
            say({"result": operations.answer(json.loads(line), say)})
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            say({"error": f"{type(error).__name__}: {error}"})
