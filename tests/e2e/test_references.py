"""`vcd references`: described once, announced on a log, and in no index but by way of it."""

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Run, footage, one_sentence, write_frames
from vcd.search import SearchSettings, read_info
from vcd.stream.address import open_log
from vcd.stream.references.descriptor_store import DescriptorStore
from vcd.stream.references.index import IndexTerms
from vcd.stream.references.view import ReferenceView
from vcd.stream.settings import KafkaSettings, StreamSettings


@pytest.fixture
def log(vcd: Run, tmp_path: Path) -> str:
    address = f"sqlite:{tmp_path / 'bus.db'}"
    assert vcd("log", "create", "--log", address).returncode == 0
    return address


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Hold two films and a file that is none."""
    folder = tmp_path / "films"
    folder.mkdir()
    for seed in range(2):
        write_frames(folder / f"film{seed}.mp4", footage(seed, 4.0))
    (folder / "broken.mp4").write_bytes(b"no film")
    return folder


def _announced(vcd: Run, log: str) -> Any:
    result = vcd("references", "list", "--log", log, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def _followed(log: str, index: Path, terms_of: Path) -> list[str]:
    """Follow the log into an index directory until it has caught up; return what is in it."""
    info = read_info(terms_of)
    terms = IndexTerms(space=info.space, rate_hz=info.rate_hz, weights=info.weights)
    bus = open_log(log, stream=StreamSettings(), kafka=KafkaSettings())
    with ReferenceView(
        bus,
        index,
        terms,
        search=SearchSettings(),
        store=DescriptorStore(f"{log.removeprefix('sqlite:')}.descriptors"),
        refuse=lambda *_: Future(),
    ) as view:
        assert view.wait_until_caught_up(60.0)
        ids = list(view.current().ref_ids)
    bus.close()
    return ids


def test_media_are_announced_once_and_what_is_broken_is_named(
    vcd: Run, log: str, films: Path
) -> None:
    first = vcd("references", "add", films, "--log", log, "--collection", "archive", "--json")
    again = vcd("references", "add", films, "--log", log, "--collection", "archive", "--json")

    assert (first.returncode, again.returncode) == (3, 3)
    announced = json.loads(first.stdout)["announced"]
    assert {each["id"] for each in announced} == {"film0", "film1"}
    assert {each["offset"] for each in announced} == {0, 1}
    assert list(json.loads(first.stdout)["refused"]) == ["broken"]
    assert json.loads(again.stdout)["announced"] == []
    assert json.loads(again.stdout)["num_unchanged"] == 2
    references = _announced(vcd, log)["references"]
    assert [(ref["id"], ref["collection"]) for ref in references] == [
        ("film0", "archive"),
        ("film1", "archive"),
    ]


def test_a_file_that_changed_is_replaced_under_its_id(vcd: Run, log: str, films: Path) -> None:
    film = films / "film0.mp4"
    vcd("references", "add", film, "--log", log)
    before = _announced(vcd, log)["references"]
    write_frames(film, footage(7, 5.0))

    assert vcd("references", "add", film, "--log", log).returncode == 0

    after = _announced(vcd, log)["references"]
    assert [ref["id"] for ref in after] == ["film0"]
    assert after[0]["descriptors"] != before[0]["descriptors"]


def test_a_lost_descriptor_file_is_written_again(
    vcd: Run, log: str, films: Path, tmp_path: Path
) -> None:
    vcd("references", "add", films / "film0.mp4", "--log", log)
    (file,) = (tmp_path / "bus.db.descriptors").iterdir()
    file.unlink()

    assert vcd("references", "add", films / "film0.mp4", "--log", log).returncode == 0

    assert file.is_file()


def test_removed_references_are_gone_and_unknown_ids_are_named(
    vcd: Run, log: str, films: Path
) -> None:
    vcd("references", "add", films / "film0.mp4", "--log", log)

    result = vcd("references", "remove", "film0", "nobody", "--log", log)

    assert result.returncode == 3
    assert "refused nobody" in result.stderr
    assert "1 removed, 1 refused" in result.stderr
    assert _announced(vcd, log)["references"] == []


def test_an_index_is_announced_as_it_is_and_followed_to_the_same_version(
    vcd: Run, log: str, index: Path, tmp_path: Path
) -> None:
    result = vcd("references", "add", "--from-index", index, "--log", log)

    assert result.returncode == 0, result.stderr
    assert len(_followed(log, tmp_path / "followed", index)) == 6
    assert read_info(tmp_path / "followed").version == read_info(index).version


def test_a_followed_index_is_read_by_all_and_written_by_nobody(
    vcd: Run, log: str, index: Path, refs: Path, tmp_path: Path
) -> None:
    vcd("references", "add", "--from-index", index, "--log", log)
    _followed(log, tmp_path / "followed", index)

    checked = vcd("check", refs / "ref0.mp4", "--index", tmp_path / "followed", "--json")
    listed = vcd("index", "info", "--index", tmp_path / "followed", "--json")
    added = vcd("index", "add", refs / "ref0.mp4", "--index", tmp_path / "followed")
    removed = vcd("index", "remove", "ref0", "--index", tmp_path / "followed")

    assert checked.returncode == 0
    assert json.loads(checked.stdout)["reports"][0]["matches"][0]["ref_id"] == "ref0"
    assert json.loads(listed.stdout)["num_refs"] == 6
    for result in (added, removed):
        assert result.returncode == 1
        one_sentence(result.stderr, f"vcd references add|remove --log {log}")


def test_other_weights_than_those_of_the_log_are_refused(
    vcd: Run, log: str, films: Path, tmp_path: Path
) -> None:
    vcd("references", "add", films / "film0.mp4", "--log", log)
    config = tmp_path / "four.toml"
    config.write_text("[media]\nrate_hz = 4.0\n")

    result = vcd("references", "add", films / "film1.mp4", "--log", log, "--config", config)

    assert result.returncode == 1
    one_sentence(result.stderr, "use the weights and the rate of the others")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), 2, "give either PATH"),
        (("film.mp4", "--from-index", "refs.index"), 2, "give either PATH"),
        (("--from-index", "refs.index", "--weights", "w"), 2, "--weights goes with PATH"),
        (("film.mp4", "--store", "nonsense://x"), 1, "no place for descriptor files"),
    ],
)
def test_misuse_is_a_sentence(
    vcd: Run, log: str, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    result = vcd("references", "add", *arguments, "--log", log)

    assert result.returncode == code
    assert sentence in result.stderr


def test_a_kafka_log_needs_to_be_told_where_descriptors_go(vcd: Run) -> None:
    result = vcd("references", "add", "film.mp4", "--log", "kafka:127.0.0.1:9")

    assert result.returncode == 1
    one_sentence(result.stderr, "--store", "stream.descriptor_store")
