"""One tree of every setting: TOML file, then VCD_ environment, then flags; the last one wins.

    configs/mine.toml        [media]  rate_hz = 4.0
    environment              VCD_MEDIA__RATE_HZ=4.0
    flag, as given by a verb {"media.rate_hz": 4.0}

The tree is made of the rooms' own frozen dataclasses; a room never sees the
tree, only its branch. A key that no room knows is refused.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcd.align.settings import AlignSettings
from vcd.core.errors import SetupError
from vcd.descriptors.settings import (
    DescribeSettings,
    FitSettings,
    PullSettings,
    ViewSettings,
)
from vcd.evaluation.settings import MatchSettings, SynthSettings
from vcd.evidence.settings import EvidenceSettings
from vcd.media.settings import FetchSettings, MediaSettings
from vcd.search.settings import PreflightSettings, SearchSettings
from vcd.settings_tables import flattened, refuse_unknown, valid_settings
from vcd.stream.settings import KafkaSettings, StreamSettings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

__all__ = [
    "KEYS_WITHOUT_EFFECT",
    "Settings",
    "counting_settings",
    "load_settings",
    "settings_digest",
]

_PREFIX = "VCD_"
_DELIMITER = "__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of the detector, room by room."""

    media: MediaSettings = field(default_factory=MediaSettings)
    """How files are probed, sampled and decoded."""

    fetch: FetchSettings = field(default_factory=FetchSettings)
    """From where a stream may fetch uploads, and how much of them."""

    describe: DescribeSettings = field(default_factory=DescribeSettings)
    """Which weights turn frames into descriptors, and on what."""

    views: ViewSettings = field(default_factory=ViewSettings)
    """In how many views the frames of a query are described."""

    fit: FitSettings = field(default_factory=FitSettings)
    """What is learnt of background footage: score normalization and whitening."""

    pull: PullSettings = field(default_factory=PullSettings)
    """How published weights are fetched."""

    search: SearchSettings = field(default_factory=SearchSettings)
    """Which pairs are worth aligning."""

    align: AlignSettings = field(default_factory=AlignSettings)
    """Which stretches of a pair are matches."""

    match: MatchSettings = field(default_factory=MatchSettings)
    """How descriptor files are matched without videos."""

    synth: SynthSettings = field(default_factory=SynthSettings)
    """What `vcd synth` makes of a user's own videos."""

    preflight: PreflightSettings = field(default_factory=PreflightSettings)
    """Which stretches of a new reference are proposed to be excluded."""

    evidence: EvidenceSettings = field(default_factory=EvidenceSettings)
    """What is kept for somebody who wants to see why."""

    stream: StreamSettings = field(default_factory=StreamSettings)
    """How a worker shares, holds, retries and gives up uploads."""

    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    """How brokers are reached."""


KEYS_WITHOUT_EFFECT = frozenset(
    {
        "describe.batch_size",
        "describe.cache_dir",
        "describe.device",
        "describe.num_threads",
        "describe.weights",
        "evidence",
        "fetch",
        "fit",
        "kafka",
        "match",
        "media.max_batch_frames",
        "media.num_children",
        "media.slot_bytes",
        "media.threads_per_child",
        "media.videos_per_child",
        "preflight",
        "pull",
        "search.max_chunk_hits",
        "search.use_gpu",
        "stream",
        "synth",
    }
)
"""Settings, or whole branches, that cannot change a match: where, how fast, how patiently.

All others count, new ones too, until they are listed here. The weights are
named by the fingerprint of the index's space, not by what they are called; a
fit by the digest of what was fitted, not by the settings that led to it.
"""


def load_settings(
    config: Path | None,
    overrides: Mapping[str, object],
    *,
    defaults: Mapping[str, object] | None = None,
) -> Settings:
    """Assemble the settings from file, environment and flags.

    Args:
        config: TOML file, one table for each room; None for the defaults.
        overrides: dotted key -> value, as ``{"media.rate_hz": 4.0}``; None is a flag that was
            not given.
        defaults: dotted key -> value that stands in for a built-in default, as the thresholds
            that belong to the chosen weights; anything else wins over it.

    Raises:
        SetupError: a key is unknown, a value is not of its kind, or the file cannot be read.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    layers = {
        "the weights": _nested(defaults or {}),
        str(config): _read_toml(config) if config is not None else {},
        "the environment": _read_environment(),
        "the flags": _nested(given),
    }
    merged: dict[str, Any] = {}
    for origin, layer in layers.items():
        refuse_unknown(layer, Settings, origin)
        merged = _merged(merged, layer)
    return valid_settings(Settings, merged, [origin for origin, layer in layers.items() if layer])


def settings_digest(
    settings: Settings, *, factory: str = "Flat", fit_digest: str | None = None
) -> str:
    """Digest every setting that can change a match; 16 hexadecimal digits.

    Equal digests on the same index promise the same matches.

    Args:
        settings: the whole tree.
        factory: FAISS factory string of the index.
        fit_digest: of the fit that is applied; None where there is none.
    """
    flat = counting_settings(settings, factory=factory, fit_digest=fit_digest)
    text = json.dumps(flat, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def counting_settings(
    settings: Settings, *, factory: str = "Flat", fit_digest: str | None = None
) -> dict[str, object]:
    """List every setting that can change a match, by dotted key.

    `KEYS_WITHOUT_EFFECT` are left out, so that another machine or batch size says the same; so is
    what only an aligner obeys that is not the chosen one, and all of views where there are none.

    Args:
        settings: the whole tree.
        factory: FAISS factory string of the index: it decides what is found, and the version of
            an index speaks of its contents alone.
        fit_digest: of the fit that is applied; None where there is none.
    """
    without_effect = set(KEYS_WITHOUT_EFFECT)
    if settings.align.aligner != "vcsl_temporal_network":
        without_effect.add("align.published_network")
    if settings.views.mode == "off":
        without_effect.add("views")
    flat = {
        key: value
        for key, value in flattened(dataclasses.asdict(settings))
        if not any(f"{key}.".startswith(f"{idle}.") for idle in without_effect)
    }
    flat["index.factory"] = factory
    if fit_digest is not None:
        flat["fit.digest"] = fit_digest
    return flat


def _read_toml(config: Path) -> dict[str, Any]:
    from pydantic_settings import TomlConfigSettingsSource

    try:
        if not config.is_file():
            raise SetupError(f"{config}: no such settings file")
        return TomlConfigSettingsSource(_sources(), toml_file=config)()
    except OSError as error:
        raise SetupError(f"{config}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SetupError(f"{config}: wanted TOML: {error}") from error


def _read_environment() -> dict[str, Any]:
    """Take ``VCD_ROOM__KEY`` apart; a ``VCD_`` variable without the delimiter is no setting."""
    from pydantic_settings import EnvSettingsSource

    rooms = [room.name for room in fields(Settings)]
    for name in sorted(os.environ):
        room, delimiter, _ = name.removeprefix(_PREFIX).partition(_DELIMITER)
        if name.startswith(_PREFIX) and delimiter and room.lower() not in rooms:
            raise SetupError(f"the environment: {name}: no room of that name: {', '.join(rooms)}")
    source = EnvSettingsSource(_sources(), env_prefix=_PREFIX, env_nested_delimiter=_DELIMITER)
    return _parsed(source())


def _sources() -> "type[BaseSettings]":
    """The rooms as a class of pydantic-settings, which knows how to read files and variables."""
    from pydantic import create_model
    from pydantic_settings import BaseSettings

    rooms: dict[str, Any] = {room.name: (room.type, ...) for room in fields(Settings)}
    sources: type[BaseSettings] = create_model("Sources", __base__=BaseSettings, **rooms)
    return sources


def _parsed(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Read lists, objects and null of the environment as JSON; the rest stays text."""
    read: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            read[key] = _parsed(value)
        else:
            read[key] = _json_or_text(value)
    return read


def _json_or_text(value: str) -> object:
    if value[:1] not in ("[", "{") and value != "null":
        return value
    try:
        parsed: object = json.loads(value)
    except ValueError:
        return value
    return parsed


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for key, value in above.items():
        under = both.get(key)
        both[key] = (
            _merged(under, value)
            if isinstance(under, Mapping) and isinstance(value, Mapping)
            else value
        )
    return both


def _nested(flat: Mapping[str, object]) -> dict[str, Any]:
    """``{"media.rate_hz": 4.0}`` -> ``{"media": {"rate_hz": 4.0}}``."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *branches, leaf = key.split(".")
        branch = tree
        for name in branches:
            branch = branch.setdefault(name, {})
        branch[leaf] = value
    return tree
