"""What an index says about how it is to be searched: with which fit, from which score on.

    DIR/calibration.json     both, or one; checksum of itself; replaced as a whole
    DIR/fit-<digest>.npz     the fit that it names

Neither belongs to the contents, so the version of the index stays. What a fit is, this file does
not know: it keeps it under its digest for those who do (`vcd.descriptors`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcd.core import Calibration, SetupError
from vcd.core.calibration import calibration_from_document, calibration_to_document
from vcd.search.checked_file import read_checked, write_checked
from vcd.search.layout import as_setup_error, projected_files
from vcd.search.owner import followed_log
from vcd.search.publication import WriterLock, remove_files

__all__ = [
    "CALIBRATION_NAME",
    "IndexCalibration",
    "change_calibration",
    "clear_calibration",
    "fit_path",
    "read_calibration",
]

CALIBRATION_NAME = "calibration.json"
_FORMAT = "vcd index calibration"
_VERSION = 1
_FIT_PREFIX = "fit-"
_DIGEST_DIGITS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexCalibration:
    """What is stored with an index beside its contents.

    Attributes:
        fit_digest: of the fit that it is searched with; None where there is none.
        threshold: measured for a wished precision; None where there is none.
    """

    fit_digest: str | None = None
    threshold: Calibration | None = None


def read_calibration(directory: Path) -> IndexCalibration:
    """Read what is stored with an index; nothing where nothing was stored.

    Raises:
        SetupError: it is damaged, of a newer version, or cannot be read.
    """
    path = directory / CALIBRATION_NAME
    stored = read_checked(
        path,
        lambda body: _calibration_from(body, path),
        kind=_FORMAT,
        version=_VERSION,
        advice=f"`vcd index calibrate --clear --index {directory}` removes it, "
        "then calibrate again",
    )
    return stored or IndexCalibration()


def change_calibration(
    directory: Path,
    change: Callable[[IndexCalibration], IndexCalibration],
    *,
    write_fit: Callable[[Path], None] | None = None,
) -> IndexCalibration:
    """Replace what is stored with an index, at once and as its only writer.

    Args:
        directory: of the index.
        change: says from what is stored what shall be.
        write_fit: writes the fit that the result names, when that is a new one.

    Returns:
        What is stored now.

    Raises:
        SetupError: the index follows a log, is being written, or the disk says no.
    """
    with _writing(directory):
        before = read_calibration(directory)
        after = change(before)
        if write_fit is not None and after.fit_digest is not None:
            write_fit(fit_path(directory, after.fit_digest))
        path = directory / CALIBRATION_NAME
        write_checked(path, _body_of(after), kind=_FORMAT, version=_VERSION)
        _remove_unnamed(directory, after.fit_digest)
        if after.fit_digest != before.fit_digest:
            remove_files(projected_files(directory))
    return after


def clear_calibration(directory: Path) -> None:
    """Remove what is stored with an index, damaged or not.

    Raises:
        SetupError: the index follows a log, is being written, or the disk says no.
    """
    with _writing(directory):
        (directory / CALIBRATION_NAME).unlink(missing_ok=True)
        _remove_unnamed(directory, None)
        remove_files(projected_files(directory))


def fit_path(directory: Path, fit_digest: str) -> Path:
    """Say where the fit of this digest lies in an index."""
    return directory / f"{_FIT_PREFIX}{fit_digest[:_DIGEST_DIGITS]}.npz"


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    log = followed_log(directory)
    if log is not None:
        raise SetupError(
            f"{directory}: the index follows the log {log}: its worker takes the fit from the "
            "setting fit.background and the threshold from align.min_score"
        )
    with as_setup_error(f"{directory}: the calibration of the index could not be changed"):
        lock = WriterLock(directory)
        try:
            yield
        finally:
            lock.release()


def _remove_unnamed(directory: Path, fit_digest: str | None) -> None:
    named = None if fit_digest is None else fit_path(directory, fit_digest)
    remove_files(each for each in directory.glob(f"{_FIT_PREFIX}*.npz") if each != named)


def _body_of(calibration: IndexCalibration) -> dict[str, Any]:
    threshold = calibration.threshold
    return {
        "fit": calibration.fit_digest,
        "threshold": None if threshold is None else calibration_to_document(threshold),
    }


def _calibration_from(body: dict[str, Any], path: Path) -> IndexCalibration:
    threshold = body["threshold"]
    return IndexCalibration(
        fit_digest=body["fit"],
        threshold=None
        if threshold is None
        else calibration_from_document(threshold, origin=str(path)),
    )
