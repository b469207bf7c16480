"""How long a keeper waits for what: the numbers that a takeover is made of, in seconds."""

from __future__ import annotations

FENCE_S = 3.0
"""Longer than etcd's worst gap when its leader dies (1.6 s measured)."""
SILENCE_S = 4.5
"""FENCE_S, the time of a kill, and room."""
VACANT_S = 3.0
"""How long the owner leaves a seat to its standby that it gave up itself."""
FROZEN_S = 1.0
"""A server that is stopped (SIGSTOP) for this long is killed."""
STUCK_S = 6.0
"""A server that answers no query for this long is killed."""
STARTING_S = 900.0
"""Crash recovery may take this long."""
LONGEST_HOLD_S = 600.0
FORGET_S = 1.0
"""The replica's role is dropped when the first commits, which need the same disk, are through."""
FLAPPING_S = 600.0
"""After this long without another takeover, the count of flaps is forgotten."""
