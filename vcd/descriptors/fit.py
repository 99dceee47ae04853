"""Fit to a background set what is applied to raw descriptors before they are compared.

    raw rows -> projection (both sides) -> score bias (query rows only)

A fit knows the raw space that it is of, and refuses any other. It knows neither index nor search.
Why it is done this way, and what it brings: ``docs/design/fit.md``. B background rows, D raw and
E projected dimensions.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vcd.core import Descriptors, DescriptorSpace, InputError, SetupError
from vcd.descriptors.background import BackgroundRows
from vcd.descriptors.projection import Projection, unit_rows
from vcd.descriptors.score_norm import ScoreNorm, nearest_similarities
from vcd.descriptors.settings import FitSettings, SpaceProfile
from vcd.descriptors.store_format import DescriptorRows

__all__ = ["Fit", "Floors", "fit_background"]

_MAX_MEASURED_ROWS = 2048
"""Background rows, evenly spread, that offset and floors are measured on: 4 million pairs."""

_MIN_MEASURED_VIDEOS = 200
"""Fewer videos make fewer than 40,000 pairs of rows, of which 20 lie above the higher floor."""

_FLOOR_SHARES = (0.995, 0.9995)
"""Shares of the scores of different videos below ``min_similarity`` and ``hit_floor``:
docs/design/thresholds.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """What a score means once a fit is applied, measured on its background.

    Attributes:
        hit_floor: 99.95 % of the scores of rows of different videos lie below.
        min_similarity: 99 % do.
    """

    hit_floor: float
    min_similarity: float

    def __post_init__(self) -> None:
        if not np.isfinite((self.hit_floor, self.min_similarity)).all():
            raise ValueError(f"floors must be finite numbers, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """What was fitted on a background set; pure, and the same wherever its digest is.

    Attributes:
        space: of the raw descriptors that it is applied to.
        projection: of both sides; None leaves rows as they are.
        score_norm: of query rows, once projected; None moves no score.
        floors: None where the background was too small to say.

    Raises:
        ValueError: its parts do not fit to each other.
    """

    space: DescriptorSpace
    projection: Projection | None = None
    score_norm: ScoreNorm | None = None
    floors: Floors | None = None

    def __post_init__(self) -> None:
        if self.projection is not None and len(self.projection.mean) != self.space.dim:
            raise ValueError(
                f"a projection of {len(self.projection.mean)} dimensions does not fit to space "
                f"{self.space.name} of {self.space.dim}"
            )
        if self.score_norm is None:
            return
        found, wanted = self.score_norm.background.shape[1], self.fitted_space.dim
        if found != wanted:
            raise ValueError(f"a background of {found} dimensions, wanted {wanted}")

    @property
    def digest(self) -> str:
        """Digest of all of it, 64 hexadecimal digits; equal digests move scores alike."""
        norm = self.score_norm
        parts = {
            "space": asdict(self.space),
            "projection": self.projection and self.projection.digest,
            "floors": self.floors and asdict(self.floors),
            "score_norm": norm
            and {
                "background": hashlib.sha256(norm.background.astype("<f4").tobytes()).hexdigest(),
                "weight": float(norm.weight),
                "neighbours": [norm.first_neighbour, norm.stop_neighbour],
                "offset": float(norm.offset),
            },
        }
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def fitted_space(self) -> DescriptorSpace:
        """What projected descriptors may be compared with: the raw space where nothing projects.

        It names the projection alone: references serve under any score normalization.
        """
        if self.projection is None:
            return self.space
        digest = self.projection.digest
        both = f"{self.space.fingerprint} {digest}"
        return DescriptorSpace(
            name=f"{self.space.name}+{digest[:12]}",
            dim=self.projection.dim,
            fingerprint=hashlib.sha256(both.encode()).hexdigest(),
        )

    def project(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Bring raw rows ``(B, D)`` of any length to ``(B, E)`` float32 of length 1 or 0."""
        if self.projection is not None:
            return self.projection.apply(features)
        return unit_rows(features)

    def prepare_ref(self, ref: Descriptors) -> Descriptors:
        """Project a reference.

        Raises:
            SetupError: it is of another space than the fit.
        """
        if ref.space != self.space:
            raise SetupError(
                f"{ref.video_id}: the fit is for descriptors of space {_named(self.space)}, "
                f"these are of {_named(ref.space)}"
            )
        if self.projection is None:
            return ref
        return replace(ref, features=self.project(ref.features), space=self.fitted_space)

    def prepare_query(self, query: Descriptors) -> Descriptors:
        """Project a query, and give each row its score bias.

        Raises:
            SetupError: it is of another space than the fit.
        """
        projected = self.prepare_ref(query)
        if self.score_norm is None:
            return projected
        return replace(projected, score_bias=self.score_norm.bias(projected.features))

    def profile(self, weights: SpaceProfile) -> SpaceProfile:
        """Say what scores mean once the fit is applied.

        Args:
            weights: what raw similarities mean. Floors that were not measured stay, and so does
                ``min_score``, which is on the scale of matches.
        """
        if self.floors is None:
            return weights
        return replace(
            weights,
            hit_floor=self.floors.hit_floor,
            min_similarity=self.floors.min_similarity,
        )


def fit_background(
    background: Iterable[Descriptors] | DescriptorRows, settings: FitSettings
) -> Fit:
    """Fit what the settings ask for to footage that holds no copy.

    Rows of zero are left out. Rows of a descriptor file may have any length: what is fitted first
    is fitted on them as they are, as in VSC2022. Numbers that are measured are rounded, so that
    two machines that add in another order come to one digest.

    Args:
        background: videos, or a descriptor file as it is.
        settings: what to fit; ``settings.background`` is not looked at.

    Raises:
        InputError: it has too few rows or videos for what is asked for.
        SetupError: its videos are of several spaces.
    """
    rows = BackgroundRows.of(background)
    projection = None
    if settings.whitening_dim is not None:
        projection = Projection.whitening(rows.features, settings.whitening_dim)
    elif settings.drop_lowest_variance:
        projection = Projection.dropping_lowest_variance(rows.features)
    fit = Fit(space=rows.space, projection=projection)
    rows = replace(rows, features=fit.project(rows.features))
    measured = rows.spread(_MAX_MEASURED_ROWS)
    fit = replace(fit, score_norm=_score_norm(rows, measured, settings))
    if fit.projection is None and fit.score_norm is None:
        return fit
    return replace(fit, floors=_floors(rows, measured, fit.score_norm))


def _without_own_video(
    rows: BackgroundRows, measured: NDArray[np.int64], norm: ScoreNorm
) -> NDArray[np.float64]:
    """``(M,)`` the bias of background rows as of queries: their own video does not count."""
    nearest = nearest_similarities(
        rows.features[measured].astype(np.float32, copy=False),
        norm.background,
        norm.stop_neighbour,
        own_run=rows.own_run[measured],
    )
    return norm.bias_of(nearest)


def _score_norm(
    rows: BackgroundRows, measured: NDArray[np.int64], settings: FitSettings
) -> ScoreNorm | None:
    if settings.weight == 0.0 and not settings.offset:
        return None
    norm = ScoreNorm(
        background=rows.features.astype(np.float32, copy=False),
        weight=settings.weight,
        first_neighbour=settings.first_neighbour,
        stop_neighbour=settings.stop_neighbour,
        offset=settings.offset or 0.0,
    )
    if settings.offset is not None:
        return norm
    bias = _without_own_video(rows, measured, norm)
    bias = bias[np.isfinite(bias)]
    if len(bias) == 0:
        raise InputError(
            f"background: measuring the offset wants more than {settings.stop_neighbour} rows of "
            "several videos: add videos, or set fit.offset"
        )
    return replace(norm, offset=round(-float(np.median(bias)), 4))


def _floors(
    rows: BackgroundRows, measured: NDArray[np.int64], norm: ScoreNorm | None
) -> Floors | None:
    """Measure how high scores between different videos are; None with too few of them."""
    own_run = rows.own_run[measured]
    if len(np.unique(own_run[:, 0])) < _MIN_MEASURED_VIDEOS:
        return None
    features = rows.features[measured].astype(np.float32, copy=False)
    score = features @ features.T
    if norm is not None:
        score += _without_own_video(rows, measured, norm).astype(np.float32)[:, None]
    is_other = own_run[:, :1] != own_run[:, 0]
    evidence, hit = np.quantile(score[is_other], _FLOOR_SHARES).tolist()
    return Floors(hit_floor=round(hit, 3), min_similarity=round(evidence, 3))


def _named(space: DescriptorSpace) -> str:
    return f"{space.name} ({space.dim}-d, {space.fingerprint[:12]})"
