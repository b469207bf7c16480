"""Real Debian machines on this computer: image, network, machines, faults.

Nothing here knows the spec: every function takes plain values (names, addresses, keys). Import the module you
need (`lab.image`, `lab.state`, `lab.machines`, `lab.requirements`); this package re-exports nothing, so that
importing it costs nothing.
"""
