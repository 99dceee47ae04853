import numpy as np
import pytest

from tests.unit.descriptors.conftest import TINY_DIM, pictures, write_tiny_onnx
from vcd.core import SetupError
from vcd.descriptors import Preprocessing
from vcd.descriptors.runtimes import OnnxNetwork, has_gpu, usable_cores


def test_rows_are_of_length_one(tiny_onnx):
    network = OnnxNetwork(tiny_onnx, num_threads=1)

    rows = network.describe(pictures(3, seed=1))

    assert rows.shape == (3, TINY_DIM)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-6)


def test_a_file_that_is_no_network_is_named(tmp_path):
    path = tmp_path / "text.onnx"
    path.write_text("not a network")

    with pytest.raises(SetupError, match=r"text\.onnx: ONNX Runtime cannot load it"):
        OnnxNetwork(path, num_threads=1)


def test_a_network_of_fixed_size_takes_only_that_preprocessing(tmp_path):
    network = OnnxNetwork(write_tiny_onnx(tmp_path / "fixed.onnx", size_px=32), num_threads=1)

    network.check_takes(Preprocessing.from_name("skew_32"))
    for name in ("skew_64", "small_32"):
        with pytest.raises(SetupError, match=f"only, which {name} does not give"):
            network.check_takes(Preprocessing.from_name(name))


def test_a_network_of_free_size_takes_any_preprocessing(tiny_onnx):
    network = OnnxNetwork(tiny_onnx, num_threads=1)

    network.check_takes(Preprocessing.from_name("small_288"))


def test_asking_for_a_gpu_does_not_raise():
    assert has_gpu() in (True, False)


def test_there_is_a_core():
    assert usable_cores() >= 1
