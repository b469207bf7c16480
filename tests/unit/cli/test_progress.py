"""What stands on the screen when a step has ended."""

import pytest

from bastide.cli.progress import Progress


@pytest.mark.parametrize(("failed", "mark"), [(False, "✓"), (True, "✗")])
def test_a_step_that_ends_badly_has_no_tick(failed: bool, mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("plain").step("apply") as step:
        step.failed = failed
    said = capsys.readouterr()
    assert said.err.splitlines()[-1].startswith(f"{mark} apply") and said.out == ""


def test_a_step_that_raises_has_no_tick_either(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="cable"), Progress("plain").step("apply"):
        raise OSError("cable")
    assert capsys.readouterr().err.splitlines()[-1].startswith("✗ apply")
