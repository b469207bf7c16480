"""Locks: one holder at a time, even over a deleted lock file."""

import threading
from pathlib import Path

from bastide.lab.locks import locked


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            with locked(tmp_path / "lock"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_who_waited_for_a_file_that_its_holder_deleted_starts_over(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    entered = threading.Event()

    def wait_for_it() -> None:
        with locked(path):
            entered.set()
            assert path.exists()

    with locked(path):
        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        assert not entered.wait(0.1)
        path.unlink()
    waiter.join(60)
    assert entered.is_set()
