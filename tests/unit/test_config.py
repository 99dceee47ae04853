import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from vcd.config import (
    KEYS_WITHOUT_EFFECT,
    Settings,
    counting_settings,
    load_settings,
    settings_digest,
)
from vcd.core import SetupError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text("[align]\nmin_length_s = 3.0\nmin_frames = 4\nmax_segments = 7\n")
    return path


def test_without_anything_the_rooms_defaults_hold():
    assert load_settings(None, {}) == Settings()


def test_flags_win_over_the_environment_and_that_over_the_file(config, monkeypatch):
    monkeypatch.setenv("VCD_ALIGN__MIN_FRAMES", "5")
    monkeypatch.setenv("VCD_ALIGN__MIN_LENGTH_S", "4.0")

    align = load_settings(config, {"align.min_length_s": 5.0}).align

    assert (align.max_segments, align.min_frames, align.min_length_s) == (7, 5, 5.0)


def test_anything_wins_over_the_defaults_of_the_weights(config):
    align = load_settings(
        config, {}, defaults={"align.min_frames": 9, "align.min_evidence": 0.9}
    ).align

    assert (align.min_frames, align.min_evidence) == (4, 0.9)


def test_a_flag_that_was_not_given_changes_nothing(config):
    assert load_settings(config, {"align.min_frames": None}).align.min_frames == 4


@pytest.mark.parametrize(
    ("flags", "variable"),
    [({"align.min_score": float("nan")}, None), ({}, "nan")],
    ids=["flag", "environment"],
)
def test_no_setting_is_no_number(flags, variable, monkeypatch):
    """Every comparison with NaN is false: each match would be rejected without a word."""
    if variable is not None:
        monkeypatch.setenv("VCD_ALIGN__MIN_SCORE", variable)

    with pytest.raises(SetupError, match=r"align\.min_score: wanted a number, got nan"):
        load_settings(None, flags)


def test_the_environment_can_say_none(monkeypatch):
    monkeypatch.setenv("VCD_MEDIA__NUM_CHILDREN", "null")

    assert load_settings(None, {}, defaults={"media.num_children": 3}).media.num_children is None


@pytest.mark.parametrize("name", ["VCD_DEBUG", "VCD_CACHE", "VCD_REQUIRE", "VCD_MEDIA"])
def test_a_variable_without_the_delimiter_is_no_setting(monkeypatch, name):
    monkeypatch.setenv(name, "1" if name != "VCD_MEDIA" else "{}")

    assert load_settings(None, {}) == Settings()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("[align]\nmin_fames = 4", "unknown setting align.min_fames", id="key"),
        pytest.param(
            "[aligner]\nmin_frames = 4", "unknown setting aligner; the rooms are", id="room"
        ),
        pytest.param("align = 4", "align: wanted a table of settings, got 4", id="no table"),
        pytest.param("[align]\nmin_frames = 'x'", "align.min_frames: .* got 'x'", id="kind"),
        pytest.param("[align]\nmin_frames = 1", "align: min_frames must be 2", id="range"),
        pytest.param("[align", "wanted TOML", id="not TOML"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(config, text, sentence):
    config.write_text(text)

    with pytest.raises(SetupError, match=rf"mine\.toml: {sentence}"):
        load_settings(config, {})


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        pytest.param("VCD_ALIGNER__X", "1", "VCD_ALIGNER__X: no room of that name", id="room"),
        pytest.param("VCD_ALIGN__X", "1", "unknown setting align.x", id="key"),
        pytest.param("VCD_ALIGN__MIN_FRAMES", "few", "got 'few'", id="kind"),
        pytest.param("VCD_ALIGN__MIN_FRAMES", "[1", r"got '\[1'", id="torn list"),
        pytest.param(
            "VCD_FETCH__ALLOWED_PREFIXES", "/srv/", "wanted a list, as .*got '/srv/'", id="no list"
        ),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch, name, value, sentence):
    monkeypatch.setenv(name, value)

    with pytest.raises(SetupError, match=f"the environment: .*{sentence}"):
        load_settings(None, {})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SetupError, match=r"nowhere\.toml: no such settings file"):
        load_settings(tmp_path / "nowhere.toml", {})


def test_a_binary_file_is_no_settings_file(config):
    config.write_bytes(b"\x00\xff\xfe")

    with pytest.raises(SetupError, match=r"mine\.toml: wanted TOML"):
        load_settings(config, {})


def _keys(tree: object, at: str = "") -> dict[str, object]:
    assert dataclasses.is_dataclass(tree)
    found: dict[str, object] = {}
    for field in dataclasses.fields(tree):
        value = getattr(tree, field.name)
        if dataclasses.is_dataclass(value):
            found |= _keys(value, f"{at}{field.name}.")
        else:
            found[f"{at}{field.name}"] = value
    return found


def test_settings_without_effect_on_a_match_exist_and_leave_the_digest_alone():
    branches = dict.fromkeys(field.name for field in dataclasses.fields(Settings))
    keys = _keys(Settings()) | branches
    assert keys.keys() >= KEYS_WITHOUT_EFFECT

    changed = load_settings(None, {"describe.batch_size": 3, "media.num_children": 1})

    assert settings_digest(changed) == settings_digest(Settings())


def test_views_and_their_budget_change_matches_and_a_budget_of_no_views_does_not():
    def digest(**views):
        changes = {f"views.{key}": value for key, value in views.items()}
        return settings_digest(load_settings(None, changes))

    assert len({digest(), digest(mode="off"), digest(max_per_frame=1.0)}) == 3
    assert digest(mode="off", max_per_frame=1.0) == digest(mode="off")


@pytest.mark.parametrize(
    ("changes", "factory", "digest"),
    [({}, "Flat", "70e155cd0788c383"), ({"align.min_frames": 5}, "IVF64,Flat", "581a3bb2c25ef80f")],
)
def test_without_a_fit_the_digest_is_what_it_was_before_there_were_fits(changes, factory, digest):
    """Another digest has every video checked again: let it change only when matches do."""
    changes = {"views.mode": "off", **changes}

    assert settings_digest(load_settings(None, changes), factory=factory) == digest


def test_what_only_another_aligner_obeys_leaves_the_digest_alone():
    step = {"align.published_network.max_step": 7}
    published = {"align.aligner": "vcsl_temporal_network"}

    assert settings_digest(load_settings(None, step)) == settings_digest(Settings())
    one, other = (load_settings(None, each) for each in (published, published | step))
    assert settings_digest(one) != settings_digest(other)


@pytest.mark.parametrize(
    ("key", "value"),
    [("align.min_frames", 5), ("search.min_pair_hits", 3), ("media.max_side_px", 4096)],
)
def test_any_other_setting_changes_the_digest(key, value):
    assert settings_digest(load_settings(None, {key: value})) != settings_digest(Settings())


def test_a_fit_enters_the_digest_by_its_own_and_not_by_the_settings_that_led_to_it():
    moved = load_settings(None, {"fit.background": "b.npz", "fit.weight": 1.0})

    assert settings_digest(moved) == settings_digest(Settings())
    digests = {settings_digest(Settings(), fit_digest=each) for each in (None, "a" * 64, "b" * 64)}
    assert len(digests) == 3
    assert settings_digest(Settings()) in digests


def test_the_digest_does_not_depend_on_how_a_number_was_given(monkeypatch):
    monkeypatch.setenv("VCD_ALIGN__MIN_LENGTH_S", "3")

    by_environment = load_settings(None, {})

    assert settings_digest(by_environment) == settings_digest(
        load_settings(None, {"align.min_length_s": 3.0})
    )


def test_the_settings_that_count_are_listed_as_they_are_digested():
    settings = load_settings(None, {"align.min_score": 0.3, "describe.device": "cpu"})

    counting = counting_settings(settings, factory="HNSW32", fit_digest="abc")

    assert counting["align.min_score"] == 0.3
    assert (counting["index.factory"], counting["fit.digest"]) == ("HNSW32", "abc")
    assert "describe.device" not in counting
    assert not any(key.startswith("evidence.") for key in counting)
    text = json.dumps(counting, sort_keys=True, separators=(",", ":"), default=str)
    digest = settings_digest(settings, factory="HNSW32", fit_digest="abc")
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest
