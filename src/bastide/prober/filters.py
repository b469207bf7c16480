"""Filters of packet sockets, in classic BPF. Pure.

Out: programs of (code, jump if true, jump if false, operand), for IPv4 or IPv6 without extension headers.
"""

_LDB, _LDH, _LDXB, _LDH_X, _LDB_X = 0x30, 0x28, 0xB1, 0x48, 0x50
_JEQ, _RET = 0x15, 0x06
_ALL = 0xFFFF


def to_port(ip6: bool, protocol: int, port: int) -> "list[tuple[int, int, int, int]]":
    """What is addressed to that port."""
    if ip6:
        return [
            (_LDB, 0, 0, 20), (_JEQ, 0, 3, protocol),
            (_LDH, 0, 0, 56), (_JEQ, 0, 1, port),
            (_RET, 0, 0, _ALL), (_RET, 0, 0, 0),
        ]  # fmt: skip
    return [
        (_LDB, 0, 0, 23), (_JEQ, 0, 4, protocol),
        (_LDXB, 0, 0, 14), (_LDH_X, 0, 0, 16), (_JEQ, 0, 1, port),
        (_RET, 0, 0, _ALL), (_RET, 0, 0, 0),
    ]  # fmt: skip


def probes(ip6: bool, mark: int) -> "list[tuple[int, int, int, int]]":
    """SYNs of ours, told from all others by the upper half of their sequence number."""
    tail = [(_RET, 0, 0, 1), (_RET, 0, 0, 0)]
    if ip6:
        body = [(_LDB, 0, 0, 20), (_JEQ, 0, 0, 6), (_LDH, 0, 0, 58), (_JEQ, 0, 0, mark), (_LDB, 0, 0, 67)]
    else:
        body = [(_LDB, 0, 0, 23), (_JEQ, 0, 0, 6), (_LDXB, 0, 0, 14), (_LDH_X, 0, 0, 18), (_JEQ, 0, 0, mark),
                (_LDB_X, 0, 0, 27)]  # fmt: skip
    return _aimed([*body, (_JEQ, 0, 0, 0x02)]) + tail


def _aimed(body: "list[tuple[int, int, int, int]]") -> "list[tuple[int, int, int, int]]":
    """Each test goes on to the next step when it holds, and to the refusal when not."""
    refusal = len(body) + 1
    return [
        (code, 0, refusal - at - 1 if code == _JEQ else 0, operand) for at, (code, _, _, operand) in enumerate(body)
    ]
