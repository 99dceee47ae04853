"""Bring back the terms under which evidence was made: its settings, its fit, its weights.

What was recorded is handed in as flags are, so that neither a settings file nor the environment
changes it. What cannot be brought back is said, and nothing is made again under other terms.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pipelines.check_evidence import explaining
from pipelines.matching import Matcher, open_matcher
from vcd.config import KEYS_WITHOUT_EFFECT, Settings, load_settings
from vcd.core import InputError, SetupError
from vcd.descriptors import read_fit, write_fit
from vcd.evidence import Terms
from vcd.search import IndexInfo, fit_path, read_calibration
from vcd.settings_tables import flattened

__all__ = ["check_fit", "open_recorded_terms"]

_NOT_SETTINGS = ("fit.digest", "index.factory")
"""Named among the settings that can change a match, but found with the index."""

_LIMITS = (
    "max_memory_bytes",
    "max_wall_s",
    "max_wall_factor",
    "max_stall_s",
    "max_side_px",
    "max_duration_s",
    "max_source_frames",
)
"""Settings of ``media`` that say what a hostile file may cost."""


@contextmanager
def open_recorded_terms(
    config: Path | None, index: Path, info: IndexInfo, terms: Terms
) -> Iterator[Matcher]:
    """Start a detector as it was when the evidence was made, as far as it can be had.

    Args:
        config: settings file, for what cannot change a match, and for the background of a fit.
        index: directory of the references.
        info: what is in it.
        terms: as recorded.

    Raises:
        SetupError: weights, fit or settings of this kind cannot be had, or would let the upload
            cost more than is allowed here.
    """
    overrides = _recorded(terms)
    _refuse_more_than_allowed(config, overrides)
    overrides["describe.weights"] = info.weights
    if not any(key.startswith("views.") for key in overrides):
        overrides["views.mode"] = "off"
    if terms.fit_digest is None:
        overrides["fit.background"] = "none"
    with open_matcher(config, overrides, index=index, factory=info.factory) as matcher:
        yield explaining(matcher)


def _recorded(terms: Terms) -> dict[str, object]:
    """Take the settings that can change a match; what else somebody recorded changes nothing here.

    Raises:
        SetupError: one of them is no setting of this version.
    """
    known = {key for key, _ in flattened(asdict(Settings()))}
    strange = sorted(terms.settings.keys() - known - {*_NOT_SETTINGS})
    if strange:
        raise SetupError(f"the recorded settings: unknown setting {strange[0]!a}"[:200])
    return {
        key: value
        for key, value in terms.settings.items()
        if key in known
        and not any(f"{key}.".startswith(f"{idle}.") for idle in KEYS_WITHOUT_EFFECT)
    }


def _refuse_more_than_allowed(config: Path | None, overrides: Mapping[str, object]) -> None:
    """Refuse limits above our own: evidence, like the upload, may be anybody's."""
    asked, own = (load_settings(config, each).media for each in (overrides, {}))
    for name in _LIMITS:
        wanted, most = getattr(asked, name), getattr(own, name)
        if wanted > most:
            raise SetupError(
                f"media.{name}: {wanted:g} was recorded, and {most:g} is allowed here: "
                "a settings file (--config) may allow more"
            )


def check_fit(index: Path) -> None:
    """Make sure that every byte of the fit that is stored with an index is as it was written.

    Raises:
        SetupError: one is not, or the fit is missing.
    """
    digest = read_calibration(index).fit_digest
    if digest is None:
        return
    path = fit_path(index, digest)
    if not path.exists():
        raise SetupError(f"{path}: the fit of the index is missing") from FileNotFoundError()
    try:
        fit = read_fit(path)
    except InputError as error:
        raise SetupError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="vcd-") as folder:
        again = Path(folder) / path.name
        write_fit(again, fit)
        is_same = again.read_bytes() == path.read_bytes()
    if not is_same or fit.digest != digest:
        raise SetupError(f"{path}: a damaged fit: not written as it was")
