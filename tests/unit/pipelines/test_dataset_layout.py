"""Data sets are found in the forms they are spread in, and what is missing is named."""

import pytest

from pipelines.dataset_layout import find_disc2021, find_vsc2022
from vcd.core import InputError


def _make(root, *names):
    for name in names:
        path = root / name
        if path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        else:
            path.mkdir(parents=True)


def test_a_synthetic_set_is_found(tmp_path):
    _make(tmp_path, "queries", "refs", "ground_truth.csv")

    found = find_vsc2022(tmp_path, None)

    assert found.roles() == {"queries": tmp_path / "queries", "refs": tmp_path / "refs"}
    assert found.ground_truth == tmp_path / "ground_truth.csv"
    assert found.edits is None


def test_what_was_done_to_queries_is_found_beside_the_ground_truth(tmp_path):
    _make(tmp_path, "queries", "refs", "ground_truth.csv", "edits.csv")

    assert find_vsc2022(tmp_path, None).edits == tmp_path / "edits.csv"


@pytest.mark.parametrize("name", ["background", "noise"])
def test_a_background_is_found(name, tmp_path):
    _make(tmp_path, "queries", "refs", name, "train_ground_truth.csv")

    assert find_vsc2022(tmp_path, None).roles()["background"] == tmp_path / name


def test_the_background_of_a_published_split_is_the_references_of_another(tmp_path):
    _make(tmp_path, "dataset_train/queries", "dataset_train/refs", "dataset_val/queries")
    _make(tmp_path, "dataset_val/refs", "train_ground_truth.csv", "val_ground_truth.csv")

    train, val = find_vsc2022(tmp_path, "train"), find_vsc2022(tmp_path, "val")

    assert train.background == val.refs == tmp_path / "dataset_val/refs"
    assert val.background == train.refs == tmp_path / "dataset_train/refs"
    assert train.ground_truth == tmp_path / "train_ground_truth.csv"


def test_the_test_split_searches_the_references_of_the_validation_split(tmp_path):
    _make(tmp_path, "dataset_test/queries", "dataset_test/test_ground_truth.csv")
    _make(tmp_path, "dataset_val/refs", "dataset_train/refs")

    found = find_vsc2022(tmp_path, "test")

    assert found.refs == tmp_path / "dataset_val/refs"
    assert found.background == tmp_path / "dataset_train/refs"


def test_the_only_published_split_needs_no_name(tmp_path):
    _make(tmp_path, "dataset_val/queries", "dataset_val/refs", "val_ground_truth.csv")

    found = find_vsc2022(tmp_path, None)

    assert found.queries == tmp_path / "dataset_val/queries"
    assert found.background is None


def test_of_several_splits_one_must_be_named(tmp_path):
    _make(tmp_path, "dataset_val/queries", "dataset_train/queries")

    with pytest.raises(InputError, match="holds train, val: say which with --split"):
        find_vsc2022(tmp_path, None)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("refs", "ground_truth.csv"), "wanted a folder .*queries, there is none"),
        (("queries", "ground_truth.csv"), "wanted a folder .*refs, there is none"),
        (("queries", "refs"), r"wanted a ground truth named \*ground_truth\*.csv"),
        (
            ("queries", "refs", "a_ground_truth.csv", "b_ground_truth.csv"),
            "wanted one ground truth, found a_ground_truth.csv, b_ground_truth.csv",
        ),
    ],
    ids=["no queries", "no references", "no truth", "two truths"],
)
def test_what_is_missing_is_named(names, sentence, tmp_path):
    _make(tmp_path, *names)

    with pytest.raises(InputError, match=sentence):
        find_vsc2022(tmp_path, None)


def test_a_split_that_is_not_there_is_missed(tmp_path):
    _make(tmp_path, "dataset_val/queries", "dataset_val/refs", "val_ground_truth.csv")

    with pytest.raises(InputError, match="there is none"):
        find_vsc2022(tmp_path, "train")


def test_disc2021_is_found_under_its_own_names(tmp_path):
    _make(tmp_path, "val_query", "val_ref", "training", "val_groundtruth_matches.csv")

    found = find_disc2021(tmp_path)

    assert found.queries == tmp_path / "val_query"
    assert found.refs == tmp_path / "val_ref"
    assert found.background == tmp_path / "training"
    assert found.ground_truth == tmp_path / "val_groundtruth_matches.csv"


def test_disc2021_is_found_under_plain_names_and_without_training_images(tmp_path):
    _make(tmp_path, "queries", "refs", "ground_truth.csv")

    found = find_disc2021(tmp_path)

    assert (found.queries, found.background) == (tmp_path / "queries", None)
