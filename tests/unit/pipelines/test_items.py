from pathlib import Path

import pytest

from pipelines.items import find_items
from vcd.core import InputError


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def _ids(*paths: Path, **options: object) -> dict[str, str]:
    found = find_items(paths, **options)  # type: ignore[arg-type]  # passed on as it came
    return {item.path.as_posix(): item.id for item in found}


def test_an_id_is_the_stem_of_the_file(tmp_path):
    _touch(tmp_path, "rabbit.mp4")

    (item,) = find_items([tmp_path / "rabbit.mp4"])

    assert (item.id, item.path, item.note) == ("rabbit", tmp_path / "rabbit.mp4", None)


def test_the_later_file_of_one_stem_takes_its_file_name_and_then_its_path(tmp_path):
    _touch(tmp_path, "a/rabbit.mp4", "b/rabbit.webm", "c/rabbit.webm")

    items = find_items([tmp_path])

    assert [item.id for item in items] == ["rabbit", "rabbit.webm", "c/rabbit.webm"]
    assert items.found[1].note == (
        f"{tmp_path}/b/rabbit.webm: called rabbit.webm, since rabbit is another file"
    )


def test_ids_do_not_depend_on_the_order_of_the_paths(tmp_path):
    _touch(tmp_path, "rabbit.mp4", "rabbit.webm")
    paths = tmp_path / "rabbit.webm", tmp_path / "rabbit.mp4"

    assert _ids(*paths) == _ids(*reversed(paths))


def test_a_file_keeps_the_id_it_has_in_the_index(tmp_path):
    _touch(tmp_path, "rabbit.mp4", "rabbit.webm")
    taken = {"rabbit": tmp_path / "rabbit.webm"}

    assert _ids(tmp_path, taken=taken) == {
        f"{tmp_path}/rabbit.mp4": "rabbit.mp4",
        f"{tmp_path}/rabbit.webm": "rabbit",
    }


def test_a_file_steps_back_behind_a_file_of_the_index(tmp_path):
    _touch(tmp_path, "rabbit.mp4")

    assert _ids(tmp_path, taken={"rabbit": Path("/elsewhere/rabbit.avi")}) == {
        f"{tmp_path}/rabbit.mp4": "rabbit.mp4"
    }


def test_a_file_that_two_paths_reach_is_one_item(tmp_path):
    _touch(tmp_path, "a/rabbit.mp4")

    assert len(find_items([tmp_path, tmp_path / "a", tmp_path / "a/rabbit.mp4"])) == 1


def test_folders_are_walked_for_media_and_the_rest_is_counted(tmp_path):
    _touch(tmp_path, "b.MP4", "a.webm", "deep/er/c.png", "notes.txt", "list.csv", "make")

    items = find_items([tmp_path])

    assert [item.id for item in items] == ["a", "b", "c"]
    assert items.num_passed_over == 3


def test_hidden_files_and_folders_stay_hidden(tmp_path):
    _touch(tmp_path, "a.mp4", ".b.mp4", ".trash/c.mp4")

    items = find_items([tmp_path])

    assert [item.id for item in items] == ["a"]
    assert items.num_passed_over == 0


@pytest.mark.parametrize("name", ["upload", "upload.txt", ".upload.mp4"])
def test_a_file_that_is_named_is_always_tried(tmp_path, name):
    _touch(tmp_path, name)

    assert len(find_items([tmp_path / name])) == 1


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        find_items([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        pytest.param([], "found nothing", id="empty"),
        pytest.param(["a.txt", "b/c.json"], "found files of other kinds only", id="texts"),
    ],
)
def test_a_folder_without_videos_is_refused(tmp_path, names, sentence):
    _touch(tmp_path, *names)

    with pytest.raises(InputError, match=f"wanted a folder with videos or images .*{sentence}"):
        find_items([tmp_path])


def test_names_of_any_alphabet_are_ids(tmp_path):
    _touch(tmp_path, "кролик, 'ü'.mp4")

    assert list(_ids(tmp_path).values()) == ["кролик, 'ü'"]
