"""A declared skip is a failure where ``VCD_REQUIRE`` lists its marker."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.house import ROOT

_TESTS = """
import pytest

@pytest.mark.media
def test_of_media():
    pytest.skip("no encoder for it")

@pytest.mark.gpu
def test_of_a_gpu():
    pytest.skip("no GPU")

@pytest.mark.media
@pytest.mark.xfail(reason="known", strict=True)
def test_that_is_known_to_fail():
    assert False
"""


def _run(folder: Path, required: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "tests/conftest.py", folder)
    (folder / "test_it.py").write_text(_TESTS)
    options = [
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(folder)],
        cwd=folder,
        env={**os.environ, "VCD_REQUIRE": required},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_skip_is_a_skip_where_nothing_is_required(tmp_path):
    result = _run(tmp_path, "")

    assert "2 skipped, 1 xfailed" in result.stdout
    assert result.returncode == 0


@pytest.mark.parametrize("required", ["media", "kafka, media"])
def test_a_skip_of_what_is_required_fails_and_says_why(tmp_path, required):
    result = _run(tmp_path, required)

    assert "1 failed, 1 skipped, 1 xfailed" in result.stdout
    assert "VCD_REQUIRE asks for media, but: Skipped: no encoder for it" in result.stdout
    assert result.returncode == 1


def test_a_requirement_that_nothing_declares_is_refused(tmp_path):
    result = _run(tmp_path, "unheard-of")

    assert result.returncode == 4
    assert "VCD_REQUIRE lists no known marker: unheard-of" in result.stderr
