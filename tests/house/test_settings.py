"""Every setting is documented, and every settings file can be read."""

import re
import tomllib

import pytest

from pipelines import train
from tests.house.house import ROOT, field_docs, leaves, settings_classes
from vcd.config import Settings, load_settings

_CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
_TRAINING = [path for path in _CONFIGS if path.name != "default.toml"]


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
    assert train.read_settings(path)


def test_the_default_file_as_it_is_changes_nothing():
    path = ROOT / "configs/default.toml"

    assert load_settings(path, {}) == Settings()
    assert tomllib.loads(path.read_text()).keys() == set(Settings.__dataclass_fields__)


def test_the_default_file_lists_every_setting_with_its_default(tmp_path):
    text = (ROOT / "configs/default.toml").read_text()
    switched_on = tmp_path / "all.toml"
    switched_on.write_text(re.sub(r"^#(\w+ = (?!none))", r"\1", text, flags=re.MULTILINE))

    assert load_settings(switched_on, {}) == Settings()
    listed = tomllib.loads(
        re.sub(r"^#(\w+ = )none", r"\1'none'", switched_on.read_text(), flags=re.MULTILINE)
    )
    assert {f"{room}.{key}" for room, keys in listed.items() for key in keys} == set(
        leaves(Settings())
    )
