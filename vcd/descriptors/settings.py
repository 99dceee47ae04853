"""What describing frames and fetching weights depend on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["DescribeSettings", "FitSettings", "PullSettings", "SpaceProfile", "ViewSettings"]


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
class ViewSettings:
    """In how many views the frames of a query are described; ``docs/design/views.md``.

    References are described as whole frames, whatever is set here.
    """

    mode: Literal["auto", "off"] = "auto"
    """``auto``, the default, describes also what borders leave, the parts of a stacked frame, an
    inset and what lies beside it, and the mirrored frame; ``off`` describes whole frames alone and
    misses copies that fill a part of the frame."""

    max_per_frame: float = 3.0
    """Most views of a frame beside the whole one, on average from the start of a video to any of
    its frames, and eight more in all. More find copies in busier layouts, and cost as much as so
    many more frames. A stack with an inset asks for four."""

    max_similarity: float = 0.95
    """A view whose descriptors are all at least as similar as this to those of the whole frames
    is left out: it says the same. Larger keeps more rows that find nothing new."""

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "off"):
            raise ValueError(f"mode must be auto or off, got {self.mode!r}")
        if not 0.0 <= self.max_per_frame < np.inf:
            raise ValueError(f"max_per_frame must be a number from 0 on, got {self.max_per_frame}")
        if not 0.0 < self.max_similarity <= 2.0:
            raise ValueError(f"max_similarity must be in (0, 2], got {self.max_similarity}")


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
class FitSettings:
    """What is fitted on a background set, and how; the defaults are VSC2022's baseline.

    ``docs/design/fit.md`` has the formulas. SSCD's ``1.0[0,2]`` is ``weight = 1.0``,
    ``stop_neighbour = 3``, ``drop_lowest_variance = false``.
    """

    background: str = "auto"
    """``auto`` takes the fit that the index was calibrated with, else what the default weights are
    fitted with when nobody says otherwise (``default_fit`` of their card); ``bundled`` fits these
    settings to the background that ships with them; ``none`` takes none; else a file: descriptors,
    to which these settings are fitted, or a fit that was written before."""

    whitening_dim: int | None = None
    """Project to so many whitened dimensions (PCA), instead of dropping one; fewer are faster and
    lose detail. None, the default, whitens nothing."""

    drop_lowest_variance: bool = True
    """Whether the dimension that varies least over the background is left out. It has no say where
    ``whitening_dim`` is given."""

    weight: float = 1.2
    """How much of a query frame's similarity to the background is taken from its scores; larger
    trusts frames that resemble the background less, 0 leaves all scores as they were."""

    first_neighbour: int = 0
    """Rank of the first of the nearest background rows whose mean counts; 0 is the nearest. Larger
    passes over background rows that may be copies after all."""

    stop_neighbour: int = 1
    """Rank after the last one that counts; more rows make the mean steadier and lower."""

    offset: float | None = None
    """Added to every score, so that thresholds keep their meaning; it changes no ranking. None,
    the default, is measured: what leaves the median row of the background its scores."""

    def __post_init__(self) -> None:
        if not self.background:
            raise ValueError("background must be auto, bundled, none or a file, got nothing")
        if self.whitening_dim is not None and self.whitening_dim < 1:
            raise ValueError(f"whitening_dim must be at least 1, got {self.whitening_dim}")
        if not (np.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"weight must be a finite number of at least 0, got {self.weight}")
        if not 0 <= self.first_neighbour < self.stop_neighbour:
            raise ValueError(
                "wanted ranks 0 <= first_neighbour < stop_neighbour, "
                f"got {self.first_neighbour} and {self.stop_neighbour}"
            )
        if self.offset is not None and not np.isfinite(self.offset):
            raise ValueError(f"offset must be a finite number, got {self.offset}")


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

    near_duplicate: float = 0.75
    """Similarity from which two images, or two whole videos, are near-duplicates
    (docs/design/dedup.md). A higher one joins fewer. On DISC2021 nine in ten image pairs from
    0.75 on are copies."""

    def __post_init__(self) -> None:
        limits = (self.hit_floor, self.min_similarity, self.min_score, self.near_duplicate)
        if not np.isfinite(limits).all():
            raise ValueError(f"the limits of a space must be finite numbers, got {self}")
