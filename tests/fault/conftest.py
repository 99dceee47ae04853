"""What the suites of this folder share; their failed asserts explain themselves like any other."""

from pathlib import Path

import pytest

from tests.clips import Clip, write_clip

_ROOT = Path(__file__).parents[2]

pytest.register_assert_rewrite(
    "tests.fault.log_contract_groups",
    "tests.fault.log_contract_reading",
    "tests.fault.log_contract_tails",
    "tests.fault.log_contract_writing",
    "tests.fault.log_member",
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("clips") / "good.mp4"
    write_clip(path, Clip(suffix="mp4", codec="libx264", encoder={"preset": "veryfast"}))
    return path


@pytest.fixture
def named(clip, tmp_path, monkeypatch):
    """Make a good video under a name that tells the villain what to do."""
    monkeypatch.syspath_prepend(str(_ROOT))

    def make(name: str) -> Path:
        path: Path = tmp_path / name
        path.write_bytes(clip.read_bytes())
        return path

    return make
