"""A threshold that was measured for a wished precision, and what it was measured on.

The form is one JSON object, read by people as well, and the same in a file of its own and inside
an index:

    {"format": "vcd calibration", "version": 1, "min_score": 0.47, ...}

It knows neither how a threshold is measured (`vcd.evaluation.calibration`) nor where it is used.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from vcd.core.errors import InputError
from vcd.core.records import DescriptorSpace

__all__ = [
    "Calibration",
    "calibration_from_document",
    "calibration_to_document",
    "decode_calibration",
    "encode_calibration",
]

_FORMAT = "vcd calibration"
_VERSION = 1
_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The score from which matches are reported, and the precision to expect there.

    Attributes:
        space: of the stored (raw) descriptors that it was measured with.
        rate_hz: frames sampled a second of them.
        settings_digest: of every setting that can change a match but ``align.min_score``.
        fit_digest: of the fit that was applied; None where there was none.
        precision: share of right matches that was wished, in (0, 1].
        min_score: the threshold.
        expected_precision: share of right matches from there on as ``(measured, low, high)``; the
            last two bound the interval of confidence.
        num_queries: how many queries it was measured on, at least 1.
        num_true: how many true copies were in them.
        curve: ``(min_score, precision, recall)`` at some thresholds, lowest threshold first.
        made: where it came from, in what JSON can hold; ``data``, a text, names the data set.

    Raises:
        ValueError: a value is out of its range.
    """

    space: DescriptorSpace
    rate_hz: float
    settings_digest: str
    fit_digest: str | None
    precision: float
    min_score: float
    expected_precision: tuple[float, float, float]
    num_queries: int
    num_true: int
    curve: tuple[tuple[float, float, float], ...] = ()
    made: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        measured, low, high = self.expected_precision
        if not 0.0 < self.precision <= 1.0:
            raise ValueError(f"precision must be in (0, 1], got {self.precision}")
        if not math.isfinite(self.min_score):
            raise ValueError(f"min_score must be a finite number, got {self.min_score}")
        if not 0.0 <= low <= measured <= high <= 1.0:
            raise ValueError(
                "expected_precision must be a measured value between a low and a high one, all in "
                f"[0, 1], got {list(self.expected_precision)}"
            )
        if not 0.0 < self.rate_hz < math.inf or self.num_queries < 1 or self.num_true < 0:
            raise ValueError(
                "wanted a rate above 0, at least one query and no negative count, got "
                f"rate_hz={self.rate_hz}, num_queries={self.num_queries}, num_true={self.num_true}"
            )
        _check_curve(self.curve)
        object.__setattr__(self, "made", MappingProxyType(dict(self.made)))

    @property
    def sentence(self) -> str:
        """``at 0.47: precision 0.990 (0.981-0.996) expected, measured on 412 queries of synth``."""
        measured, low, high = self.expected_precision
        data = self.made.get("data")
        of = f" of {data}" if isinstance(data, str) and data else ""
        return (
            f"at {self.min_score:.4g}: precision {measured:.3f} ({low:.3f}-{high:.3f}) expected, "
            f"measured on {self.num_queries} queries{of}"
        )


def encode_calibration(calibration: Calibration) -> str:
    """Write a calibration as JSON, for a file that people read too; equal ones are equal bytes."""
    document = calibration_to_document(calibration)
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def decode_calibration(text: str | bytes, *, origin: str = "calibration") -> Calibration:
    """Read what `encode_calibration` wrote.

    Args:
        text: one JSON object.
        origin: the file, for the message of an error.

    Raises:
        InputError: not JSON, not a calibration, or one of a version that this code does not know.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{origin}: wanted a calibration as one JSON object: {error}") from error
    return calibration_from_document(document, origin=origin)


def calibration_to_document(calibration: Calibration) -> dict[str, Any]:
    """Turn a calibration into what `json.dumps` takes, strictly standard JSON."""
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "space": asdict(calibration.space),
        "rate_hz": float(calibration.rate_hz),
        "settings_digest": calibration.settings_digest,
        "fit_digest": calibration.fit_digest,
        "precision": float(calibration.precision),
        "min_score": float(calibration.min_score),
        "expected_precision": [float(value) for value in calibration.expected_precision],
        "num_queries": int(calibration.num_queries),
        "num_true": int(calibration.num_true),
        "curve": [[float(value) for value in point] for point in calibration.curve],
        "made": dict(calibration.made),
    }


def calibration_from_document(document: object, *, origin: str = "calibration") -> Calibration:
    """Build the calibration that `calibration_to_document` wrote; unknown keys are ignored.

    Raises:
        InputError: a key is missing, a value is not of its kind, or the version is unknown.
    """
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise InputError(f"{origin}: wanted a calibration as `vcd eval calibrate` writes it")
    if document.get("version") != _VERSION:
        raise InputError(
            f"{origin}: wanted a calibration of version {_VERSION}, got {document.get('version')!r}"
        )
    try:
        return _calibration_from(document)
    except KeyError as error:
        raise InputError(f"{origin}: the calibration lacks {error.args[0]!r}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{origin}: not a valid calibration: {error}") from error


def _calibration_from(document: Mapping[str, Any]) -> Calibration:
    space = _checked(document["space"], dict)
    fit_digest = document["fit_digest"]
    return Calibration(
        space=DescriptorSpace(
            name=_checked(space["name"], str),
            dim=_checked(space["dim"], int),
            fingerprint=_checked(space["fingerprint"], str),
        ),
        rate_hz=_number(document["rate_hz"]),
        settings_digest=_checked(document["settings_digest"], str),
        fit_digest=None if fit_digest is None else _checked(fit_digest, str),
        precision=_number(document["precision"]),
        min_score=_number(document["min_score"]),
        expected_precision=_triple(document["expected_precision"]),
        num_queries=_checked(document["num_queries"], int),
        num_true=_checked(document["num_true"], int),
        curve=tuple(_triple(point) for point in _checked(document["curve"], list)),
        made=_checked(document["made"], dict),
    )


def _check_curve(curve: tuple[tuple[float, float, float], ...]) -> None:
    thresholds = [point[0] for point in curve]
    if any(not math.isfinite(value) for value in thresholds) or thresholds != sorted(thresholds):
        raise ValueError("the thresholds of the curve must be finite and in rising order")
    for _, precision, recall in curve:
        if not (0.0 <= precision <= 1.0 and 0.0 <= recall <= 1.0):
            raise ValueError(f"a point of the curve is out of range: {precision=} {recall=}")


def _triple(values: object) -> tuple[float, float, float]:
    first, second, third = map(_number, _checked(values, list))
    return first, second, third


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"wanted a number, got {value!r}"[:80])
    return float(value)


def _checked(value: object, kind: type[_Kind]) -> _Kind:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"wanted {kind.__name__}, got {value!r}"[:80])
    return value
