"""The examples run as they stand."""

import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_api_example_reaches_its_goals(capsys):
    runpy.run_path(str(EXAMPLES / "api.py"), run_name="__main__")
    good, small, *steps = (
        line.split(": ")[1].replace(",", "").split()
        for line in capsys.readouterr().out.splitlines()
    )
    assert 75 <= float(good[2]) <= 75.3
    assert 0.98 * 20_000 <= int(small[0]) <= 20_000
    assert steps
