from pathlib import Path

import numpy as np
import pytest
import torch

from tests.unit.descriptors.classy import (
    RESNET50,
    RESNEXT101_32X4D,
    classy_forward,
    classy_state,
)
from vcd.core import SetupError
from vcd.descriptors.sscd import build_network
from vcd.descriptors.state_dicts import (
    digest_arrays,
    network_from,
    parameters_from,
    read_state_dict,
    rename_keys,
)

SOME_FILE = Path("some.classy.pt")


def small_state(seed=0):
    torch.manual_seed(seed)
    return build_network("resnet18_w32", 64).eval().state_dict()


def unlike_pictures(height_px, width_px):
    """Draw noise and a half-dark picture: even random networks tell them apart."""
    noise = torch.randn(3, height_px, width_px, generator=torch.Generator().manual_seed(2))
    halves = torch.full((3, height_px, width_px), -2.0)
    halves[0, :, : width_px // 2] = 2.0
    return torch.stack([noise, halves])


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads on two busy cores wait for each other most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "trunk"),
    [
        pytest.param(RESNET50, "resnet50", id="the six of 512 dimensions"),
        pytest.param(RESNEXT101_32X4D, "resnext101_32x4d", id="disc_large"),
    ],
)
def test_a_classy_file_gives_the_vectors_of_the_published_formula(layout, trunk, tmp_path):
    state = classy_state(layout, seed=1)
    path = tmp_path / "made.classy.pt"
    torch.save(state, path)
    pixels_BCHW = unlike_pictures(64, 96)

    parameters = parameters_from(path, read_state_dict(path))
    network = network_from(parameters)

    assert (parameters.trunk, parameters.dim) == (trunk, layout.dim)
    with torch.inference_mode():
        found, wanted = network(pixels_BCHW), classy_forward(state, layout, pixels_BCHW)
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=2e-6)
    apart = float((wanted[0] - wanted[1]).abs().max())
    assert apart > 1e-3, "random networks tell pictures apart a little, and we must see that little"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("backbone.initial_block._module.0.weight", "backbone.conv1.weight"),
        ("backbone.initial_block._module.1.running_var", "backbone.bn1.running_var"),
        (
            "backbone.blocks.2.block2-22.convolutional_block.3.weight",
            "backbone.layer3.22.conv2.weight",
        ),
        ("backbone.blocks.0.block0-0.bn.bias", "backbone.layer1.0.bn3.bias"),
        ("backbone.blocks.3.block3-0.downsample.1.weight", "backbone.layer4.0.downsample.1.weight"),
        ("embeddings.1.bias", "backbone.fc.bias"),
        ("backbone.layer1.0.bn3.bias", "backbone.layer1.0.bn3.bias"),
        ("something.else", "something.else"),
    ],
)
def test_each_published_name_becomes_ours(name, wanted):
    assert rename_keys([name]) == {name: wanted}


@pytest.mark.parametrize("suffix", [".torchvision.pt", ".safetensors"])
def test_both_containers_give_the_same_parameters(suffix, tmp_path):
    state = small_state()
    path = tmp_path / f"small{suffix}"
    if suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(state, path)
    else:
        torch.save(state, path)

    parameters = parameters_from(path, read_state_dict(path))

    assert (parameters.trunk, parameters.dim) == ("resnet18_w32", 64)
    assert parameters.digest == parameters_from(path, state).digest


def test_half_precision_is_another_quantization_of_rounded_values():
    state = small_state()
    halves = {name: value.half() if value.ndim > 1 else value for name, value in state.items()}
    rounded = {
        name: value.float() if value.is_floating_point() else value
        for name, value in halves.items()
    }

    parameters = parameters_from(SOME_FILE, halves)

    assert parameters.quantization == "fp16"
    assert parameters.digest == parameters_from(SOME_FILE, rounded).digest
    assert parameters.digest != parameters_from(SOME_FILE, state).digest


def test_counters_of_training_steps_may_be_missing_and_do_not_count():
    state = small_state()
    bare = {name: value for name, value in state.items() if "num_batches" not in name}

    parameters = parameters_from(SOME_FILE, bare)

    assert parameters.digest == parameters_from(SOME_FILE, state).digest
    network_from(parameters)


def test_a_missing_and_an_unexpected_name_are_both_named():
    state = small_state()
    del state["backbone.layer3.1.conv2.weight"]
    state["head.weight"] = torch.zeros(3)

    with pytest.raises(
        SetupError,
        match=r"some\.classy\.pt: .* nearest is resnet18_w32, which also wants "
        r"backbone\.layer3\.1\.conv2\.weight .* and has no head\.weight \[3\]",
    ):
        parameters_from(SOME_FILE, state)


def test_a_wrong_shape_is_named():
    state = small_state() | {"backbone.bn1.bias": torch.zeros(31)}

    with pytest.raises(SetupError, match=r"wants backbone\.bn1\.bias \[32\] and has no .*\[31\]"):
        parameters_from(SOME_FILE, state)


def test_tensors_without_a_projection_are_no_sscd_network():
    with pytest.raises(SetupError, match="found no projection"):
        parameters_from(SOME_FILE, {"fc.weight": torch.zeros(2, 2)})


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path):
    class Villain:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "villain.torchvision.pt"
    torch.save({"backbone.fc.weight": Villain()}, path)

    with pytest.raises(SetupError, match=r"villain\.torchvision\.pt: not a file of named tensors"):
        read_state_dict(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"garbage", [1, 2], {"a": 1}])
def test_what_is_no_state_dict_is_refused(content, tmp_path):
    path = tmp_path / "odd.torchvision.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)

    with pytest.raises(SetupError, match=r"odd\.torchvision\.pt: (not|wanted) a "):
        read_state_dict(path)


def test_the_digest_knows_names_shapes_and_values():
    values = np.arange(6, dtype=np.float32)
    digests = {
        digest_arrays({"a": values}),
        digest_arrays({"b": values}),
        digest_arrays({"a": values.reshape(2, 3)}),
        digest_arrays({"a": values + 1}),
    }

    assert len(digests) == 4
    assert digest_arrays({"a": values, "b": values}) == digest_arrays({"b": values, "a": values})
    assert digest_arrays({"a": values.astype(np.float16)}) == digest_arrays({"a": values})
