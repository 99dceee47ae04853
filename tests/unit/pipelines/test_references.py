"""`vcd references add --from-index`: what of an index is announced, and when again."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import log as log_verb
from pipelines import references as references_verb
from pipelines.bus import open_bus
from pipelines.index_exclude import clear_stretches, exclude_stretches
from tests.factories import SPACE, make_descriptors, make_video
from vcd.core import Interval
from vcd.search import IndexWriter
from vcd.stream.references.announced import announced_references
from vcd.stream.references.descriptor_store import DescriptorStore, store_location


@pytest.fixture
def index(tmp_path: Path, rng) -> Path:
    path = tmp_path / "refs.index"
    with IndexWriter.open(path, space=SPACE, rate_hz=2.0, weights="test") as writer:
        for ref_id in ("a", "b"):
            writer.add(make_video(ref_id), make_descriptors(ref_id, 10, rng))
    return path


@pytest.fixture
def log(tmp_path: Path) -> str:
    address = f"sqlite:{tmp_path / 'bus.db'}"
    assert log_verb.main(["create", "--log", address]) == 0
    return address


def announce(index: Path, log: str, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert references_verb.main(["add", "--from-index", str(index), "--log", log, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def excluded_of(log: str) -> dict[str, tuple[Interval, ...]]:
    with open_bus(log, None) as (bus, _):
        changes = announced_references(bus).changes
    return {ref_id: change.excluded for ref_id, change in changes.items()}


def test_only_a_reference_of_which_other_stretches_are_excluded_is_announced_again(
    index, log, capsys
):
    announce(index, log, capsys)
    exclude_stretches(index, {"a": [Interval(1.0, 2.0)]})

    again = announce(index, log, capsys)

    assert [each["id"] for each in again["announced"]] == ["a"]
    assert again["num_unchanged"] == 1
    assert excluded_of(log) == {"a": (Interval(1.0, 2.0),), "b": ()}
    clear_stretches(index, ["a"])
    assert [each["id"] for each in announce(index, log, capsys)["announced"]] == ["a"]
    assert excluded_of(log) == {"a": (), "b": ()}


def test_descriptors_are_announced_as_stored_whatever_is_excluded(index, log, capsys):
    exclude_stretches(index, {"a": [Interval(1.0, 2.0)]})

    announce(index, log, capsys)

    with open_bus(log, None) as (bus, settings):
        change = announced_references(bus).changes["a"]
        store = DescriptorStore(store_location(settings.stream.descriptor_store, bus.address))
        stored = store.fetch(change.descriptors, video_id="a")
    assert stored.is_informative.all()
