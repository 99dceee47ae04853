from dataclasses import replace
from typing import Any

import pytest

from pipelines import verify_terms
from pipelines.verify_terms import open_recorded_terms
from tests.evidence_records import make_evidence
from vcd.core import SetupError


class _Info:
    weights = "vcd_compact"
    factory = "Flat"


class _OpenedError(Exception):
    """Carries the settings that a detector would be started with."""


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Say with which settings a detector would be started for some recorded ones."""
    info: Any = _Info()

    def open_matcher(config, overrides, *, index, factory):
        raise _OpenedError(dict(overrides))

    def settings_for(recorded, config=None):
        terms = replace(make_evidence().terms, settings=recorded)
        with (
            pytest.raises(_OpenedError) as caught,
            open_recorded_terms(config, tmp_path, info, terms),
        ):
            pass
        return caught.value.args[0]

    monkeypatch.setattr(verify_terms, "open_matcher", open_matcher)
    return settings_for


def test_settings_that_can_change_a_match_are_brought_back(opened):
    found = opened({"align.min_score": 0.3, "media.max_side_px": 100})

    assert (found["align.min_score"], found["media.max_side_px"]) == (0.3, 100)


@pytest.mark.parametrize(
    ("key", "value"),
    [("media.num_children", 300), ("describe.cache_dir", "elsewhere"), ("fit.background", "x")],
)
def test_somebody_elses_evidence_says_nothing_of_this_machine(key, value, opened):
    assert opened({key: value}) == opened({})


@pytest.mark.parametrize(
    "key", ["nope.x", "align", "align.min_score.x", ""], ids=["unknown", "room", "below", "empty"]
)
def test_what_is_no_setting_cannot_be_brought_back(key, opened):
    with pytest.raises(SetupError, match="unknown setting"):
        opened({"align.min_score": 0.3, key: 5})


@pytest.mark.parametrize("name", ["max_memory_bytes", "max_wall_s", "max_side_px"])
def test_an_upload_may_not_cost_more_than_is_allowed_here(name, opened, tmp_path):
    config = tmp_path / "more.toml"
    config.write_text(f"[media]\n{name} = 4000000000000\n")

    with pytest.raises(SetupError, match=f"media.{name}: 3e"):
        opened({f"media.{name}": 3 * 10**12})
    assert opened({f"media.{name}": 3 * 10**12}, config)[f"media.{name}"] == 3 * 10**12
