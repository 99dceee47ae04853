"""How like a copy is somebody else's picture of the same kind of thing?

    python -m benchmarks.lookalikes PHOTOS [--weights FILE.onnx ...]

For each held-out photograph of a kind (the part of the file name before its last underscore): the
nearest other one of its kind, and the score that a match of one still shot of the two would have.
`align.min_score` has to lie above nearly all of these
(docs/design/thresholds.md).
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.disc_like import BUNDLED, stated_input_px
from pipelines.export_bundled import onnx_features
from vcd.align.paths import cell_weights
from vcd.training.data import find_photos, is_held_out, pack_photos

MIN_OF_A_KIND = 20


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", type=Path, nargs="+", default=[BUNDLED])
    parser.add_argument("--work", type=Path, default=Path("lookalikes.pixels"))
    arguments = parser.parse_args()
    kinds = defaultdict(list)
    for path in find_photos(arguments.photos):
        if is_held_out(path.name, every=6):
            kinds[kind_of(path)].append(path)
    for file in arguments.weights:
        card = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        floor = card["thresholds"]["min_similarity"]
        print(f"{file.stem}: score of the nearest other one, 50 %, 90 %, 99 %; and the similarity")
        for kind, paths in sorted(kinds.items()):
            if len(paths) < MIN_OF_A_KIND:
                continue
            photos = pack_photos(paths, short_px=320, file=arguments.work)
            pictures = [photos[photo] for photo in range(len(photos))]
            features = onnx_features(file, pictures, stated_input_px(file))
            similarity = features @ features.T
            np.fill_diagonal(similarity, -1.0)
            nearest = similarity.max(axis=1)
            weights = cell_weights(nearest, floor)
            shares = (0.5, 0.9, 0.99)
            scores = np.quantile(weights / (weights + 1.0), shares).round(3)
            print(
                f"  {kind:<24} {len(paths):>4}  {scores}  {np.quantile(nearest, shares).round(3)}"
            )
    arguments.work.unlink(missing_ok=True)


def kind_of(path: Path) -> str:
    return path.name.rpartition("_")[0]


if __name__ == "__main__":
    main()
