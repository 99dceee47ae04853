import numpy as np
import pytest

from tests.unit.descriptors.conftest import TINY_DIM, pictures, write_tiny_onnx
from vcd.core import SetupError, TransientError, VcdError
from vcd.descriptors import Preprocessing
from vcd.descriptors.runtimes import OnnxNetwork, TorchNetwork, has_gpu, usable_cores


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


def test_a_batch_that_onnx_runtime_refuses_may_be_tried_again(tmp_path):
    network = OnnxNetwork(write_tiny_onnx(tmp_path / "fixed.onnx", size_px=32), num_threads=1)

    with pytest.raises(TransientError, match=r"fixed\.onnx: 3 frames could not be described"):
        network.describe(pictures(3, seed=1))


@pytest.mark.parametrize(
    ("sentence", "error"),
    [
        pytest.param("CUDA out of memory. Tried to allocate 2 GiB", TransientError, id="memory"),
        pytest.param("CUDA error: out of memory", TransientError, id="memory, by the driver"),
        pytest.param("CUDA error: CUBLAS_STATUS_ALLOC_FAILED", TransientError, id="workspace"),
        pytest.param("CUDA error: an illegal memory access", SetupError, id="broken context"),
        pytest.param("CUDA error: unspecified launch failure", SetupError, id="lost device"),
        pytest.param("mat1 and mat2 shapes cannot be multiplied", TransientError, id="this batch"),
    ],
)
def test_what_torch_says_tells_a_lost_device_from_a_batch_too_large(sentence, error):
    from torch import nn

    class Broken(nn.Module):
        def forward(self, pixels):
            raise RuntimeError(sentence)

    network = TorchNetwork(Broken(), device="cpu")

    with pytest.raises(VcdError) as raised:
        network.describe(pictures(3, seed=1))

    assert type(raised.value) is error
    assert sentence in str(raised.value)


def test_asking_for_a_gpu_does_not_raise():
    assert has_gpu() in (True, False)


def test_there_is_a_core():
    assert usable_cores() >= 1
