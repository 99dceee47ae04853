"""Every setting is documented, and every settings file can be read."""

import re
import tomllib
from math import inf

import pytest

from pipelines import train
from tests.house import default_file
from tests.house.house import ROOT, field_docs, leaves, settings_classes
from vcd.align import AlignSettings, PublishedNetworkSettings
from vcd.config import Settings, load_settings
from vcd.descriptors import FitSettings
from vcd.evaluation.settings import MatchSettings
from vcd.training.settings import TrainingSettings

_CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
_MATCHING = [path for path in _CONFIGS if path.name.startswith("vsc2022")]
_TRAINING = [path for path in _CONFIGS if path.name != "default.toml" and path not in _MATCHING]


@pytest.mark.parametrize(
    "settings", [Settings, *settings_classes()], ids=lambda kind: kind.__name__
)
def test_every_setting_says_what_it_means(settings):
    docs = field_docs(settings)

    assert [name for name in settings.__dataclass_fields__ if len(docs.get(name, "")) < 15] == []


def test_there_are_settings_files():
    assert ROOT / "configs/default.toml" in _CONFIGS


@pytest.mark.parametrize("path", _TRAINING, ids=lambda path: path.name)
def test_every_training_file_can_be_read(path):
    assert isinstance(train.read_settings(path), TrainingSettings)


@pytest.mark.parametrize("path", _MATCHING, ids=lambda path: path.name)
def test_every_file_for_matching_can_be_read(path):
    assert load_settings(path, {}) != Settings()


def test_the_published_baseline_has_the_published_constants():
    settings = load_settings(ROOT / "configs/vsc2022.toml", {})

    network = PublishedNetworkSettings(max_step=5, min_length=4)
    assert settings.media.rate_hz == 1.0
    assert settings.align == AlignSettings(
        aligner="vcsl_temporal_network", min_score=-inf, published_network=network
    )
    assert settings.match == MatchSettings(
        protocol="vsc2022",
        max_frame_pairs_per_query=1200,
        max_candidates_per_query=25,
        max_aligned_per_query=5,
        alignment_offset=0.5,
    )
    assert settings.fit == FitSettings(
        weight=1.2, first_neighbour=0, stop_neighbour=1, drop_lowest_variance=True
    )


def test_the_default_file_as_it_is_changes_nothing():
    path = ROOT / "configs/default.toml"

    assert load_settings(path, {}) == Settings()
    assert tomllib.loads(path.read_text()).keys() == set(Settings.__dataclass_fields__)


def test_the_default_file_says_what_the_settings_say():
    """When it does not: python -m tests.house.default_file."""
    assert default_file.PATH.read_text() == default_file.default_file()


def test_every_line_of_the_default_file_can_be_switched_on(tmp_path):
    text = default_file.PATH.read_text()
    switched_on = tmp_path / "all.toml"
    switched_on.write_text(re.sub(r"^#(\w+ = (?!none))", r"\1", text, flags=re.MULTILINE))

    assert load_settings(switched_on, {}) == Settings()
    assert len(re.findall(r"^#?\w+ = ", text, flags=re.MULTILINE)) == len(leaves(Settings()))
