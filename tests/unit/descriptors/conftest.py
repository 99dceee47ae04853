"""A network small enough for unit tests, and frames for it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.factories import make_timeline, make_video
from vcd.core import Examination, FrameBatch

TINY_DIM = 16


def write_tiny_onnx(path: Path, *, size_px: int | None = None) -> Path:
    """Write convolution, rectifier, mean, linear: any picture to 16 numbers."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = {
        "kernel": rng.normal(size=(8, 3, 4, 4)).astype(np.float32),
        "matrix": rng.normal(size=(8, TINY_DIM)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["pixels_BCHW", "kernel"], ["cells"], strides=[4, 4]),
        helper.make_node("Relu", ["cells"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["features_BD"]),
    ]
    size = ("H", "W") if size_px is None else (size_px, size_px)
    pixels = helper.make_tensor_value_info("pixels_BCHW", TensorProto.FLOAT, ("B", 3, *size))
    features = helper.make_tensor_value_info("features_BD", TensorProto.FLOAT, ("B", TINY_DIM))
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "tiny", [pixels], [features], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_onnx(tmp_path_factory.mktemp("weights") / "tiny.onnx")


def pictures(
    num_frames: int, seed: int, *, height_px: int = 48, width_px: int = 64
) -> NDArray[np.uint8]:
    """Draw coloured tiles, different in every frame."""
    rng = np.random.default_rng(seed)
    tiles = rng.integers(0, 256, (num_frames, height_px // 8, width_px // 8, 3), dtype=np.uint8)
    return tiles.repeat(8, axis=1).repeat(8, axis=2)


def events_of(
    video_id: str,
    pixels_THWC: NDArray[np.uint8],
    *,
    chunk: int = 5,
    refused: str | None = None,
) -> Iterator[FrameBatch | Examination]:
    """Say what a decoder says of one video."""
    timeline = make_timeline(len(pixels_THWC))
    for first in range(0, len(pixels_THWC), chunk):
        piece = pixels_THWC[first : first + chunk]
        yield FrameBatch(
            video_id=video_id,
            first_frame=first,
            timeline=make_timeline(len(piece), start_s=float(timeline.start_s[first])),
            pixels_THWC=piece,
        )
    video = None if refused else make_video(video_id, duration_s=len(pixels_THWC) / 2)
    reason = "undecodable" if refused else None
    yield Examination(video_id=video_id, video=video, refused=refused, reason=reason)


def interleaved(
    *streams: Iterator[FrameBatch | Examination],
) -> Iterator[FrameBatch | Examination]:
    """Take from each stream in turn, as a pool of decoders would hand them on."""
    waiting = list(streams)
    while waiting:
        for stream in list(waiting):
            event = next(stream, None)
            if event is None:
                waiting.remove(stream)
            else:
                yield event
