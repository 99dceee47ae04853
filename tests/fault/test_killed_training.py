"""A training run that is killed anywhere, while it saves too, ends as if nobody had killed it."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.house.house import ROOT


@pytest.mark.slow
def test_a_run_that_is_killed_anywhere_ends_with_the_same_weights_bit_for_bit(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.fault.killed_training", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    kills = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert len(kills) > 10
    assert {kill["signal"] for kill in kills} == {signal.SIGKILL}
    assert [kill["at"] for kill in kills if not kill["same"]] == []
