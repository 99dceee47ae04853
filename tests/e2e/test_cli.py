"""The command itself, whatever the verb."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.conftest import Run
from vcd import __version__

_COMMAND = [sys.executable, "-m", "pipelines.cli"]


def test_it_says_its_version(vcd: Run) -> None:
    result = vcd("--version")

    assert (result.returncode, result.stdout) == (0, f"vcd {__version__}\n")


def test_bare_it_says_what_it_can_do(vcd: Run) -> None:
    result = vcd()

    assert result.returncode == 0
    for verb in ("demo", "check", "index", "describe", "models", "train", "bench"):
        assert f"  {verb} " in result.stdout


def test_an_unknown_verb_is_misuse(vcd: Run) -> None:
    result = vcd("cheque")

    assert (result.returncode, result.stdout) == (2, "")
    assert "no verb 'cheque'; there are: demo, check, index" in result.stderr


_TALKATIVE = """
import sys, types
from pipelines import cli

def main(argv):
    for _ in range(100_000):
        print("a line that nobody reads")
    return 0

talk = types.ModuleType("talk")
talk.main, talk.__spec__ = main, types.SimpleNamespace()
sys.modules["talk"] = talk
cli.VERBS = (cli.Verb("talk", "talk", "talks"),)
sys.exit(cli.main(["talk"]))
"""


def test_a_reader_who_leaves_is_not_told_anything() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _TALKATIVE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()

    _, complaint = process.communicate(timeout=60)

    assert (process.returncode, complaint) == (1, "")


def test_an_unknown_setting_is_one_sentence_that_names_the_file(vcd: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[align]\nmin_fames = 3\n")

    result = vcd("demo", "--out", tmp_path / "out", "--config", tmp_path / "mine.toml")

    assert result.returncode == 1
    assert f"vcd: {tmp_path}/mine.toml: unknown setting align.min_fames" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_term_signal_ends_it_with_130_and_a_sentence(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    process = subprocess.Popen(
        [*_COMMAND, "demo", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "VCD_DEBUG": "0"},
    )
    deadline_s = time.monotonic() + 60
    while not list(out.glob("references/*.mp4")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)

    _, complaint = process.communicate(timeout=60)

    assert process.returncode == 130
    assert complaint.startswith("vcd: interrupted; ")
    assert complaint.count("\n") == 1
