"""What describing frames and fetching weights depend on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["DescribeSettings", "PullSettings", "SpaceProfile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeSettings:
    """Which weights describe the frames, and on what."""

    weights: str = "vcd_compact"
    """Name of ``vcd models list`` or path of a file; the default ships with the package."""

    preprocessing: str | None = None
    """``small_N`` (short edge N, aspect kept) or ``skew_N`` (squashed to N x N) instead of what
    the weights ask for; a larger N costs time with its square. None, the default, obeys the
    weights; published files that do not say are given ``small_288``, as their README does."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the network runs; ``auto``, the default, takes a GPU when the machine has one."""

    num_threads: int | None = None
    """Processor threads of the network; more is faster up to the number of cores, and slower
    beyond. None, the default, takes every core this process may use."""

    batch_size: int | None = None
    """Square frames in a batch; more costs memory, and gains speed on a GPU only. None, the
    default, is 8 on a processor and 128 on a GPU (docs/design/descriptors.md)."""

    cache_dir: str | None = None
    """Folder of pulled weights and of their exports; None, the default, is the environment's
    ``VCD_CACHE`` or else the user's cache folder."""

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda, got {self.device!r}")
        for name in ("num_threads", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSettings:
    """How published weights are fetched."""

    base_url: str = "https://dl.fbaipublicfiles.com/sscd-copy-detection"
    """Address the file name is appended to; a mirror may stand in for the publisher's, because
    what arrives is believed for its digest only."""

    timeout_s: float = 30.0
    """How long a silent server is waited for; larger forgives slower networks."""

    num_attempts: int = 5
    """How often a broken transfer is taken up again where it broke; more is more patient."""

    first_wait_s: float = 1.0
    """Pause before the second attempt; it doubles before each further one."""

    def __post_init__(self) -> None:
        if self.num_attempts < 1:
            raise ValueError(f"num_attempts must be at least 1, got {self.num_attempts}")
        if self.timeout_s <= 0 or self.first_wait_s < 0:
            raise ValueError(f"not a time to wait: {self.timeout_s=} {self.first_wait_s=}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceProfile:
    """What a similarity means in one descriptor space, as measured for its weights.

    The defaults are for the published SSCD weights; docs/design/descriptors.md says how the
    numbers were found, and what they are for the bundled ones.
    """

    hit_floor: float = 0.5
    """Similarity from which a pair of frames is a hit; a higher floor searches less and misses
    more weak copies. On DISC2021 nine in ten image pairs above 0.75 are copies; the floor is
    lower, for in a video the neighbouring frames can confirm a weak one."""

    min_similarity: float = 0.35
    """Similarity below which a cell of the matrix is no evidence, 3.5 standard deviations of
    what unrelated frames show; a higher one cuts matches where the edit is strong."""

    min_score: float = 0.45
    """Score of a match from which it is reported, unless a threshold was asked for or
    calibrated; on the scale of ``align/score.py``. A higher one reports fewer and surer ones."""

    def __post_init__(self) -> None:
        limits = (self.hit_floor, self.min_similarity, self.min_score)
        if not np.isfinite(limits).all():
            raise ValueError(f"the limits of a space must be finite numbers, got {self}")
