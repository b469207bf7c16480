"""What can be asked of a host is there, and what is not is said so."""

from __future__ import annotations

import inspect

import pytest

from bastide.prober.operations import LASTING, QUICK, answer, find


@pytest.mark.parametrize("operation", [*LASTING, *QUICK])
def test_every_operation_is_a_function_that_takes_the_question(operation: str) -> None:
    lasting = operation in LASTING
    taken = inspect.signature(find(LASTING[operation] if lasting else QUICK[operation])).parameters
    assert len(taken) == (2 if lasting else 1)


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(KeyError):
        answer({"op": "nothing"}, lambda _: None)
