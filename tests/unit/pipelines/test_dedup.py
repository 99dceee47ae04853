"""`vcd dedup` from descriptor files: what is clustered, kept, said and refused."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from pipelines.dedup import main
from pipelines.dedup_clusters import cluster_items
from pipelines.dedup_findings import (
    CHAINED,
    Cluster,
    Clustering,
    Member,
    cluster_lines,
    clusters_document,
    to_keep,
)
from pipelines.dedup_items import ItemFacts, joined_rows, read_facts, write_facts
from tests.factories import SPACE, make_descriptors, make_timeline, plant_copy
from vcd.config import Settings
from vcd.core import Descriptors, InputError, SetupError
from vcd.descriptors import (
    BUNDLED_NAME,
    PUBLISHED,
    bundled_card,
    read_descriptor_rows,
    write_descriptors,
)

_SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/clusters.schema.json").read_text())


def _image(item_id, direction):
    """A picture whose descriptor lies at so many degrees in one plane; None has no evidence."""
    row = np.zeros((1, SPACE.dim), dtype=np.float32)
    if direction is not None:
        angle = np.deg2rad(direction)
        row[0, :2] = np.cos(angle), np.sin(angle)
    return Descriptors.from_frames(item_id, make_timeline(1), row, SPACE)


def _file(path, items, space=SPACE):
    write_descriptors(path, [replace(item, space=space) for item in items], space=space)
    return path


def _clustered(tmp_path, items, threshold, facts=None):
    rows = read_descriptor_rows(_file(tmp_path / "items.npz", items))
    return cluster_items(rows, facts or {}, Settings(), threshold)


def _ids(clustering):
    return [[member.facts.id for member in cluster.members] for cluster in clustering.clusters]


def _member(item_id, similarity, advice="remove", **facts):
    return Member(
        facts=ItemFacts(id=item_id, **facts),
        similarity=similarity,
        is_same_file=False,
        advice=advice,
    )


def _clustering(*clusters):
    return Clustering(
        clusters=clusters,
        num_items=9,
        num_links=3,
        uninformative=(),
        is_exact=True,
        num_pairs_over_cap=0,
    )


def _facts(**of):
    return {name: ItemFacts(id=name, **values) for name, values in of.items()}


def test_images_from_the_threshold_on_are_one_cluster_and_strangers_in_none(tmp_path):
    images = [_image("a", 0), _image("b", 20), _image("stranger", 90)]

    clustering = _clustered(tmp_path, images, 0.9)

    assert _ids(clustering) == [["a", "b"]]
    assert clustering.clusters[0].weakest_link == pytest.approx(np.cos(np.deg2rad(20)), abs=1e-6)
    assert clustering.num_links == 1
    assert not clustering.clusters[0].is_chained


def test_a_chain_is_said_and_what_is_not_near_the_one_to_keep_is_to_be_looked_at(tmp_path):
    images = [_image("a", 0), _image("b", 25), _image("c", 50)]

    (cluster,) = _clustered(tmp_path, images, 0.9).clusters

    assert cluster.is_chained
    assert cluster.least_similarity == pytest.approx(np.cos(np.deg2rad(50)), abs=1e-6)
    assert cluster.weakest_link == pytest.approx(np.cos(np.deg2rad(25)), abs=1e-6)
    assert [(m.facts.id, m.advice) for m in cluster.members] == [
        ("a", "keep"),
        ("c", "look"),
        ("b", "remove"),
    ]


def test_the_most_doubtful_cluster_comes_first(tmp_path):
    images = [_image("a", 0), _image("b", 1), _image("c", 90), _image("d", 110)]

    assert _ids(_clustered(tmp_path, images, 0.9)) == [["c", "d"], ["a", "b"]]


def test_an_image_without_evidence_is_named_and_in_no_cluster(tmp_path):
    images = [_image("a", 0), _image("b", 0), _image("white", None), _image("black", None)]

    clustering = _clustered(tmp_path, images, 0.9)

    assert _ids(clustering) == [["a", "b"]]
    assert clustering.uninformative == ("black", "white")


def test_a_re_encoded_video_is_a_near_duplicate_and_a_shared_intro_is_not(tmp_path, rng):
    film, other = make_descriptors("film", 40, rng), make_descriptors("other", 40, rng)
    copy = plant_copy(
        make_descriptors("copy", 40, rng), film, query_frames=(0, 40), ref_frames=(0, 40), rng=rng
    )
    intro = plant_copy(other, film, query_frames=(0, 10), ref_frames=(0, 10), rng=rng)

    clustering = _clustered(tmp_path, [film, copy, intro], 0.6)

    assert _ids(clustering) == [["copy", "film"]]


def test_the_order_of_the_items_in_a_file_changes_nothing(tmp_path, rng):
    film = make_descriptors("film", 40, rng)
    copy = plant_copy(
        make_descriptors("copy", 44, rng), film, query_frames=(2, 40), ref_frames=(0, 38), rng=rng
    )
    items = [film, copy, _image("a", 0), _image("b", 20)]

    forth, back = (_clustered(tmp_path, each, 0.5) for each in (items, items[::-1]))

    assert len(forth.clusters) == 2
    assert forth == back


def test_an_image_and_a_film_that_shows_it_once_are_not_near_duplicates(tmp_path, rng):
    film = make_descriptors("film", 40, rng)
    still = Descriptors.from_frames("still", make_timeline(1), film.features[7:8], SPACE)
    frozen = Descriptors.from_frames(
        "frozen", make_timeline(12), np.repeat(film.features[7:8], 12, axis=0), SPACE
    )

    clustering = _clustered(tmp_path, [film, still, frozen], 0.7)

    assert _ids(clustering) == [["frozen", "still"]]


def test_videos_of_a_cluster_that_share_nothing_have_no_similarity(tmp_path, rng):
    one, two = make_descriptors("one", 40, rng), make_descriptors("two", 40, rng)
    both = Descriptors.from_frames(
        "both",
        make_timeline(80),
        np.concatenate([one.features, two.features]),
        SPACE,
    )

    (cluster,) = _clustered(tmp_path, [one, two, both], 0.45).clusters

    assert cluster.least_similarity == 0.0
    assert cluster.is_chained


@pytest.mark.parametrize(
    ("facts", "kept", "why"),
    [
        pytest.param(
            {"a": {"width_px": 10, "height_px": 10}, "b": {"width_px": 20, "height_px": 6}},
            "b",
            "largest picture",
            id="by pixels, not by one side",
        ),
        pytest.param(
            {
                "a": {"width_px": 9, "height_px": 9, "duration_s": 3.0, "num_bytes": 9},
                "b": {"width_px": 9, "height_px": 9, "duration_s": 5.0, "num_bytes": 1},
            },
            "b",
            "longest",
            id="then by length",
        ),
        pytest.param(
            {
                "a": {"duration_s": 5.05, "num_bytes": 1},
                "b": {"duration_s": 5.0, "num_bytes": 9},
            },
            "b",
            "largest file",
            id="a frame more is no longer film",
        ),
        pytest.param({"b": {}, "a": {}}, "a", "first id of equals", id="then by id"),
    ],
)
def test_what_is_kept_is_the_largest_then_the_longest_then_the_heaviest(facts, kept, why):
    known = dict(enumerate(_facts(**facts).values()))

    chosen, rule = to_keep(known)

    assert (known[chosen].id, rule) == (kept, why)


def test_files_of_the_same_bytes_are_told(tmp_path):
    facts = _facts(a={"sha256": "1" * 64}, b={"sha256": "1" * 64}, c={"sha256": "2" * 64})
    images = [_image("a", 0), _image("b", 0), _image("c", 1)]

    (cluster,) = _clustered(tmp_path, images, 0.9, facts).clusters

    assert [(m.facts.id, m.is_same_file) for m in cluster.members[1:]] == [
        ("c", False),
        ("b", True),
    ]


def test_the_document_keeps_the_published_schema():
    cluster = Cluster(
        members=(_member("a", 1.0, "keep", path="a.jpg", width_px=4), _member("b", 0.8)),
        why_kept="largest picture",
        weakest_link=0.8,
        least_similarity=0.8,
        is_chained=False,
    )
    summary: dict[str, object] = dict.fromkeys(_SCHEMA["properties"]["summary"]["required"], 1)
    summary |= {"is_exact": True, "settings": {}, "vcd_version": "1", "commit": None}
    summary["space"] = {"name": "s", "dim": 1, "fingerprint": "f"}

    document = clusters_document(_clustering(cluster), {"c": "empty file"}, summary)

    jsonschema.validate(document, _SCHEMA)
    assert document["refused"] == [{"id": "c", "reason": "empty file"}]
    assert document["clusters"][0]["members"][1]["duration_s"] is None


def test_the_table_has_a_line_for_each_item_and_says_what_is_chained():
    cluster = Cluster(
        members=(_member("a", 1.0, "keep", width_px=4, height_px=3), _member("b", 0.5, "look")),
        why_kept="largest picture",
        weakest_link=0.8,
        least_similarity=0.5,
        is_chained=True,
    )

    head, first, second = cluster_lines(_clustering(cluster))

    assert head == (
        "cluster 1: 2 items, weakest link 0.80, least similarity 0.50; keep the largest picture; "
        + CHAINED
    )
    assert first.split() == ["keep", "1.00", "4", "x", "3", "a"]
    assert second.split() == ["look", "0.50", "b"]


def test_rows_of_any_length_and_precision_become_rows_of_length_one(tmp_path):
    path = tmp_path / "raw.npz"
    np.savez(
        path,
        video_ids=np.array(["a", "b"]),
        features=np.array([[3.0, 4.0], [0.0, 2.0]], dtype=np.float16),
        timestamps=np.array([[0.0, 1.0], [0.0, 1.0]]),
    )

    rows = joined_rows([path], tmp_path)

    assert rows.features.dtype == np.float32
    assert rows.features.tolist() == [pytest.approx([0.6, 0.8], abs=1e-6), [0.0, 1.0]]


def test_several_files_are_one_collection(tmp_path):
    one = _file(tmp_path / "one.npz", [_image("a", 0)])
    two = _file(tmp_path / "two.npz", [_image("b", 0)])

    rows = joined_rows([one, two], tmp_path)

    assert rows.video_ids.tolist() == ["a", "b"]


def test_files_of_two_spaces_are_refused(tmp_path):
    one = _file(tmp_path / "one.npz", [_image("a", 0)])
    two = _file(tmp_path / "two.npz", [_image("b", 0)], replace(SPACE, fingerprint="0" * 16))

    with pytest.raises(InputError, match=r"two\.npz: wanted descriptors of the space of .*one"):
        joined_rows([one, two], tmp_path)


def test_an_id_in_two_files_is_refused(tmp_path):
    files = [_file(tmp_path / f"{name}.npz", [_image("a", 0)]) for name in ("one", "two")]

    with pytest.raises(InputError, match="a: there already is"):
        joined_rows(files, tmp_path)


def test_facts_are_read_back_as_they_were_written(tmp_path):
    facts = _facts(a={"width_px": 3, "path": "x/a.jpg"}, b={"duration_s": 2.5})

    write_facts(tmp_path / "d.npz", facts)

    assert read_facts(tmp_path / "d.npz") == facts


def test_facts_that_are_damaged_are_refused_and_missing_ones_are_none(tmp_path):
    (tmp_path / "d.items.jsonl").write_text('{"id": "a", "colour": 1}\n')

    with pytest.raises(InputError, match=r"d\.items\.jsonl: not a list of items"):
        read_facts(tmp_path / "d.npz")
    assert read_facts(tmp_path / "other.npz") == {}


def _run(capsys, *words):
    code = main([str(word) for word in words])
    return code, capsys.readouterr()


def test_an_unknown_space_wants_a_threshold(tmp_path):
    path = _file(tmp_path / "d.npz", [_image("a", 0)])

    with pytest.raises(
        SetupError, match=r"wanted --threshold: .* space test has not been measured"
    ):
        main([str(path)])


@pytest.mark.parametrize(
    ("name", "threshold"),
    [
        pytest.param(BUNDLED_NAME, bundled_card().profile.near_duplicate, id="bundled"),
        pytest.param(next(iter(PUBLISHED)), 0.75, id="published"),
    ],
)
def test_a_measured_space_brings_its_own_threshold(name, threshold, tmp_path, capsys):
    path = _file(tmp_path / "d.npz", [_image("a", 0)], replace(SPACE, name=name))

    code, said = _run(capsys, path, "--json")

    assert code == 0
    assert json.loads(said.out)["summary"]["threshold"] == threshold


def test_the_bundled_card_says_what_a_near_duplicate_is():
    stated = json.loads((bundled_card().folder / f"{BUNDLED_NAME}.json").read_text())

    assert 0.5 < stated["thresholds"]["near_duplicate"] < 0.95


def test_what_is_printed_keeps_the_schema_and_the_last_line_sums_up(tmp_path, capsys):
    path = _file(tmp_path / "d.npz", [_image("a", 0), _image("b", 25), _image("c", 50)])

    code, said = _run(capsys, path, "--threshold", "0.9", "--json")

    document = json.loads(said.out)
    jsonschema.validate(document, _SCHEMA)
    assert code == 0
    assert document["summary"]["num_to_remove"] == document["summary"]["num_to_look_at"] == 1
    assert said.err.splitlines()[-1] == (
        "1 cluster among 3 items at 0.9, 1 to remove, 1 to look at (1 chained)"
    )


@pytest.mark.parametrize("items", [[], ["a"]], ids=["none", "one"])
def test_nothing_to_compare_is_no_cluster_and_no_failure(items, tmp_path, capsys):
    path = _file(tmp_path / "d.npz", [_image(name, 0) for name in items])

    code, said = _run(capsys, path, "--threshold", "0.9")

    assert (code, said.out) == (0, "")
    assert f"0 clusters among {len(items)} item" in said.err


@pytest.mark.parametrize("threshold", ["0", "1.5", "-0.2", "nan"])
def test_a_threshold_out_of_range_is_misuse(threshold, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path), f"--threshold={threshold}"])

    assert stop.value.code == 2
    assert "--threshold wants a similarity in (0, 1]" in capsys.readouterr().err


def test_weights_for_descriptors_that_are_there_are_refused(tmp_path):
    path = _file(tmp_path / "d.npz", [_image("a", 0)])

    with pytest.raises(SetupError, match="--weights: nothing is left to describe"):
        main([str(path), "--threshold", "0.9", "--weights", "mine.onnx"])


def test_a_file_that_is_read_is_not_written_over(tmp_path):
    path = _file(tmp_path / "descriptors.npz", [_image("a", 0)])
    write_facts(path, _facts(a={}))
    before = path.read_bytes()

    with pytest.raises(SetupError, match="is read, and would be written over"):
        main([str(path), str(tmp_path / "photos"), "--out", str(tmp_path)])

    assert path.read_bytes() == before
