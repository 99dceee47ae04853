"""Run a network on a batch of frames: ONNX Runtime, torch on a GPU, TorchScript.

Each takes bytes and gives unit rows, so that the batches that wait are a quarter of the size
and nobody else standardizes pixels. None knows what a video is.

Shape letters: B frames, H and W pixels, C channels, D dimensions.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from vcd.core import SetupError, TransientError
from vcd.descriptors.postprocess import l2_normalize
from vcd.descriptors.preprocess import Preprocessing, standardization, standardize_pixels

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import nn

__all__ = ["OnnxNetwork", "Runtime", "TorchNetwork", "has_gpu", "usable_cores"]


class Runtime(Protocol):
    """A network that is loaded and ready."""

    @property
    def pads_batches(self) -> bool:
        """Whether every batch of one frame size must hold the same number of frames."""
        ...

    def describe(self, pixels_BHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn frames of one size into ``(B, D)`` unit rows.

        Raises:
            TransientError: not these, or not so many, or not now; fewer may do.
            SetupError: the device is lost; nothing will do.
        """
        ...


class OnnxNetwork:
    """A network in ONNX Runtime on the processor.

    Args:
        path: of the ONNX file: one float32 input ``(B, 3, H, W)`` of standardized pixels, one
            output ``(B, D)``.
        num_threads: of one batch; two batches are never run at once.

    Attributes:
        dim: length of a descriptor.
        metadata: what the file says beside its graph.
    """

    def __init__(self, path: Path, *, num_threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_mem_pattern = False  # or it keeps a plan for every frame size seen
        options.log_severity_level = 3
        try:
            self._network = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no other root
            raise SetupError(f"{path}: ONNX Runtime cannot load it: {error}") from error
        self._path = path
        self._input_name, self.dim = _checked_signature(path, self._network)
        self.metadata: dict[str, str] = self._network.get_modelmeta().custom_metadata_map
        height_px, width_px = self._network.get_inputs()[0].shape[2:]
        self._fixed_size_px = (height_px, width_px)

    @property
    def pads_batches(self) -> bool:
        return False

    def check_takes(self, preprocessing: Preprocessing) -> None:
        """Refuse a preprocessing whose pictures do not fit a network of fixed size.

        Raises:
            SetupError: it gives other sizes than the one that the network takes.
        """
        side = preprocessing.short_edge_px
        for wanted in self._fixed_size_px:
            if isinstance(wanted, int) and (preprocessing.keeps_aspect or wanted != side):
                raise SetupError(
                    f"{self._path}: takes pictures of {self._fixed_size_px} pixels only, "
                    f"which {preprocessing.name} does not give"
                )

    def describe(self, pixels_BHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels_BCHW = standardize_pixels(pixels_BHWC)
        try:
            (features_BD,) = self._network.run(None, {self._input_name: pixels_BCHW})
        except Exception as error:  # ONNX Runtime's errors share no other root
            raise TransientError(
                f"{self._path}: {len(pixels_BHWC)} frames could not be described: {error}"
            ) from error
        return l2_normalize(features_BD)


class TorchNetwork:
    """A torch module on the processor or, in bfloat16 and channels_last, on a GPU.

    A recorded program stays in float32 on either: its own casts must not be second-guessed.

    Args:
        network: ``(B, 3, H, W)`` standardized float32 pixels to ``(B, D)``.
        device: ``cpu`` or ``cuda``.
        is_program: whether it is TorchScript or a torch.export module, already in evaluation mode.
    """

    def __init__(self, network: "nn.Module", *, device: str, is_program: bool = False) -> None:
        import torch

        self._device = torch.device(device)
        self._uses_bfloat16 = device == "cuda" and not is_program
        self._network = (network if is_program else network.eval()).to(self._device)
        if self._uses_bfloat16:
            self._network = self._network.to(memory_format=torch.channels_last)
        scale_C11, offset_C11 = standardization()
        self._scale_C11 = torch.from_numpy(scale_C11).to(self._device)
        self._offset_C11 = torch.from_numpy(offset_C11).to(self._device)

    @property
    def pads_batches(self) -> bool:
        return self._device.type == "cuda"

    def describe(self, pixels_BHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            return l2_normalize(self._features(pixels_BHWC))
        except RuntimeError as error:
            if _is_device_lost(error):
                raise SetupError(f"{self._device}: the device is lost: {error}") from error
            raise TransientError(
                f"{self._device}: {len(pixels_BHWC)} frames could not be described: {error}"
            ) from error

    def _features(self, pixels_BHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=self._uses_bfloat16),
        ):
            pixels = torch.from_numpy(pixels_BHWC).to(self._device)
            pixels_BCHW = pixels.permute(0, 3, 1, 2).float()  # channels_last, as bytes were
            pixels_BCHW = pixels_BCHW * self._scale_C11 - self._offset_C11
            if not self._uses_bfloat16:
                pixels_BCHW = pixels_BCHW.contiguous()
            features: NDArray[np.float32] = self._network(pixels_BCHW).float().cpu().numpy()
        return features


def _is_device_lost(error: RuntimeError) -> bool:
    """Tell an error after which every call to the device fails from one of memory or of a batch."""
    sentence = str(error)
    is_of_memory = "out of memory" in sentence or "ALLOC_FAILED" in sentence
    return "CUDA error" in sentence and not is_of_memory


def usable_cores() -> int:
    """Count the cores that this process may use, which a container may have cut down."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_gpu() -> bool:
    """Tell whether the machine has a CUDA device, without the seconds that importing torch takes.

    Asks the driver; only if it counts a device is torch asked whether it can use one.
    """
    import ctypes

    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return False
    if count.value == 0:
        return False
    import torch

    return bool(torch.cuda.is_available())


def _checked_signature(path: Path, network: "InferenceSession") -> tuple[str, int]:
    inputs, outputs = network.get_inputs(), network.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise SetupError(
            f"{path}: wanted one input and one output, got {len(inputs)} and {len(outputs)}"
        )
    shape, dim = inputs[0].shape, (outputs[0].shape or [None])[-1]
    if len(shape) != 4 or shape[1] != 3 or inputs[0].type != "tensor(float)":
        raise SetupError(
            f"{path}: wanted an input of (B, 3, H, W) float32, got {shape} {inputs[0].type}"
        )
    if not isinstance(dim, int) or len(outputs[0].shape) != 2:
        raise SetupError(f"{path}: wanted an output of (B, D), D fixed, got {outputs[0].shape}")
    return str(inputs[0].name), dim
