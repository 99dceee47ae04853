"""`vcd bench`: numbers of one run, side by side."""

import json

import pytest

from tests.e2e.conftest import Run


@pytest.mark.slow
def test_the_stream_is_measured_beside_check(vcd: Run) -> None:
    result = vcd("bench", "stream", "--videos", "1", "--repeats", "1", "--json")

    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["fit"] is None
    per_s = {rate["stage"]: rate["per_s"] for rate in document["rates"]}
    assert list(per_s) == ["check", "stream"]
    assert document["stream_over_check"] == per_s["stream"] / per_s["check"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["search", "end-to-end", "stream"])
def test_what_matches_does_so_with_the_fit_of_the_settings(vcd: Run, tmp_path, stage) -> None:
    config = tmp_path / "mine.toml"
    config.write_text('[fit]\nbackground = "bundled"\n')

    words = ("bench", stage, "--videos", "1", "--repeats", "1", "--json", "--config", config)
    result = vcd(*words)

    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert len(document["fit"]) == 64
    assert all(rate["per_s"] > 0 for rate in document["rates"])
