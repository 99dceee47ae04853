"""Make the background set of the shipped weights: ``python -m pipelines.export_background PHOTOS``.

Writes ``vcd_compact.background.npz``, a descriptor file (float16) of photographs that the weights
were trained on, and names it in ``vcd_compact.json``. Photographs that training holds out are
never in it: what is measured on them would know its own background. The choice is seeded; run it
again after ``pipelines.export_bundled``, which writes a card without a background.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.detection import open_detector
from pipelines.export_bundled import NAME
from vcd.core import Descriptors, InputError, VcdError
from vcd.media import DecodeRequest, digest_file
from vcd.training.data import find_photos, is_held_out

__all__ = ["export_background", "main"]

_MAX_ROWS = 3_600
"""1.8 MB of float16 at 256 dimensions."""

_SEED = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the export; 0 done, 1 failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="what the weights were trained on")
    parser.add_argument("--out", type=Path, default=Path("vcd/descriptors/bundled"))
    arguments = parser.parse_args(argv)
    try:
        stated = export_background(arguments.photos, arguments.out)
    except VcdError as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    print(json.dumps(stated, indent=2))
    return 0


def export_background(photos: Path, out: Path) -> dict[str, Any]:
    """Describe a seeded sample of the training photographs with the bundled weights.

    Args:
        photos: folder of what the weights were trained on.
        out: folder of the bundled files, whose card is written anew.

    Returns:
        What the card says of the background.

    Raises:
        SetupError: there is no photograph, or the bundled weights are damaged.
        InputError: a photograph cannot be read.
    """
    card_path = out / f"{NAME}.json"
    card = json.loads(card_path.read_text(encoding="utf-8"))
    every = int(card["training"]["holdout_every"])
    seen = [path for path in find_photos(photos) if not is_held_out(path.name, every=every)]
    order = np.random.default_rng(_SEED).permutation(len(seen))
    described = _described([seen[photo] for photo in sorted(order[:_MAX_ROWS].tolist())])
    path = out / f"{NAME}.background.npz"
    np.savez_compressed(path, allow_pickle=False, **_arrays(described))
    stated = {
        "photos": len(described),
        "sampled_from": len(seen),
        "seed": _SEED,
        "holdout_every": every,
    }
    card["background"] = stated
    card.setdefault("default_fit", None)
    card["digests"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    card_path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return stated


def _described(paths: Sequence[Path]) -> list[Descriptors]:
    """Describe photographs as the product does; those without evidence are left out."""
    with open_detector(None, {"fit.background": "none"}) as detector:
        requests = (
            DecodeRequest(
                video_id=path.stem,
                path=path,
                sha256=digest_file(path),
                rate_hz=1.0,
                max_short_edge_px=detector.describer.max_short_edge_px,
            )
            for path in paths
        )
        found = []
        for examination, descriptors in detector.describe(requests):
            if examination.refused is not None:
                raise InputError(f"{examination.video_id}: {examination.refused}")
            found.append(descriptors)
    return sorted(
        (each for each in found if each.is_informative.all()), key=lambda each: each.video_id
    )


def _arrays(described: Sequence[Descriptors]) -> dict[str, NDArray[Any]]:
    space = described[0].space
    stated = {"name": space.name, "dim": space.dim, "fingerprint": space.fingerprint}
    times = [(each.timeline.start_s[0], each.timeline.end_s[0]) for each in described]
    return {
        "video_ids": np.array([each.video_id for each in described]),
        "features": np.concatenate([each.features for each in described]).astype(np.float16),
        "timestamps": np.array(times, dtype=np.float64),
        "space": np.array(json.dumps(stated, sort_keys=True)),
    }


if __name__ == "__main__":
    sys.exit(main())
