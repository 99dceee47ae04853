"""What an index says about how it is to be searched: with which fit, from which score on.

    DIR/calibration.json     both, or one; checksum of itself; replaced as a whole
    DIR/fit-<digest>.npz     the fit that it names

Neither belongs to the contents, so the version of the index stays. What a fit is, this file does
not know: it keeps it under its digest for those who do (`vcd.descriptors`).
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcd.core import Calibration, InputError, SetupError
from vcd.core.calibration import calibration_from_document, calibration_to_document
from vcd.search.layout import as_setup_error, projected_files
from vcd.search.owner import followed_log
from vcd.search.publication import WriterLock, publish_file, remove_files

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
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return IndexCalibration()
    except OSError as error:
        raise SetupError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return _calibration_from(json.loads(data), path)
    except (KeyError, TypeError, ValueError, RecursionError, InputError) as error:
        raise SetupError(
            f"{path}: damaged ({error}): `vcd index calibrate --clear --index {directory}` "
            "removes it, then calibrate again"
        ) from error


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
        data = _calibration_bytes(after)
        publish_file(directory, lambda file: file.write(data), lambda _: CALIBRATION_NAME)
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


def _calibration_bytes(calibration: IndexCalibration) -> bytes:
    threshold = calibration.threshold
    body = {
        "fit": calibration.fit_digest,
        "threshold": None if threshold is None else calibration_to_document(threshold),
    }
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "sha256": _body_digest(body),
        "body": body,
    }
    return (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _body_digest(body: object) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _calibration_from(document: dict[str, Any], path: Path) -> IndexCalibration:
    found = document["format"], document["version"]
    if found != (_FORMAT, _VERSION):
        raise ValueError(f"wanted {_FORMAT} of version {_VERSION}, got {found[0]} of {found[1]}")
    body = document["body"]
    if document["sha256"] != _body_digest(body):
        raise ValueError("its checksum is wrong")
    threshold = body["threshold"]
    return IndexCalibration(
        fit_digest=body["fit"],
        threshold=None
        if threshold is None
        else calibration_from_document(threshold, origin=str(path)),
    )
