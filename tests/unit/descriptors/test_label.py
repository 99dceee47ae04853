import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vcd.core import SetupError
from vcd.descriptors import SpaceProfile
from vcd.descriptors.label import Label, label_in_archive, label_in_safetensors

FILE = Path("w.onnx")
LABEL = Label(
    name="mine",
    trunk="resnet18",
    dim=8,
    digest="a" * 64,
    quantization="fp16",
    preprocessing="skew_96",
    profile=SpaceProfile(hit_floor=0.6, min_similarity=0.4, min_score=0.7),
    commit="abc123",
)


def archive(path, content, member="made/extra/vcd.json"):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("made/data.pkl", b"x")
        file.writestr(member, content)
    return path


@pytest.mark.parametrize(
    "label", [LABEL, replace(LABEL, profile=None, commit=None, preprocessing=None)]
)
def test_a_label_is_read_as_it_was_written(label):
    assert Label.from_strings(FILE, label.as_strings()) == label


def test_what_other_programs_wrote_beside_it_is_passed_over():
    assert Label.from_strings(FILE, {"name": "resnet", "description": "x"}) is None
    assert Label.from_strings(FILE, LABEL.as_strings() | {"name": "resnet"}) == LABEL


def test_a_label_that_lacks_something_says_what():
    stated = LABEL.as_strings()
    del stated["vcd.digest"]

    with pytest.raises(SetupError, match=r"w\.onnx: what it says of itself lacks 'digest'"):
        Label.from_strings(FILE, stated)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""),
        ("name", "a\x1b[31m"),
        ("name", "../a"),
        ("dim", "many"),
        ("dim", "0"),
        ("digest", "A" * 64),
        ("preprocessing", "crop_3"),
        ("quantization", "int8"),
        ("hit_floor", "nan"),
    ],
)
def test_a_label_that_cannot_be_is_refused(key, value):
    with pytest.raises(SetupError, match=r"w\.onnx: what it says of itself is wrong"):
        Label.from_strings(FILE, LABEL.as_strings() | {f"vcd.{key}": value})


def test_a_label_is_found_in_a_header_and_in_an_archive(tmp_path):
    tensors = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(1)}, tensors, metadata=LABEL.as_strings())
    packed = archive(tmp_path / "w.pt2", json.dumps(LABEL.as_strings()))

    assert label_in_safetensors(tensors) == LABEL
    assert label_in_archive(packed) == LABEL


def test_files_that_say_nothing_of_themselves_have_no_label(tmp_path):
    tensors = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(1)}, tensors)
    packed = archive(tmp_path / "w.pt2", "{}", member="made/extra/other.json")

    assert label_in_safetensors(tensors) is None
    assert label_in_archive(packed) is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("{", "not a whole archive", id="no JSON"),
        pytest.param("[]", "wanted an object of strings", id="a list"),
        pytest.param('{"vcd.dim": 3}', "wanted an object of strings", id="a number"),
        pytest.param(" " * 70_000, "has 70000 bytes", id="far too long"),
    ],
)
def test_an_archive_with_a_damaged_label_is_named(content, sentence, tmp_path):
    path = archive(tmp_path / "w.pt2", content)

    with pytest.raises(SetupError, match=rf"w\.pt2: .*{sentence}"):
        label_in_archive(path)


def test_a_truncated_file_is_named(tmp_path):
    packed = archive(tmp_path / "w.pt2", json.dumps(LABEL.as_strings()))
    packed.write_bytes(packed.read_bytes()[:-30])
    tensors = tmp_path / "w.safetensors"
    tensors.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")

    with pytest.raises(SetupError, match=r"w\.pt2: not a whole archive"):
        label_in_archive(packed)
    with pytest.raises(SetupError, match=r"w\.safetensors: not a file of named tensors"):
        label_in_safetensors(tensors)
