"""Measure fits to the bundled background on the DISC-like set of held-out photographs.

    python -m benchmarks.bench_fits PHOTOS

The set is that of `benchmarks.disc_like`; the table stands in docs/design/fit.md. Floors are
``min_similarity, hit_floor``: as the fit says, and as measured between strangers of the set.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.disc_like import BUNDLED, stated_input_px
from pipelines.export_bundled import held_out_set, onnx_features
from vcd.descriptors import Fit, FitSettings, bundled_background, bundled_card, fit_background
from vcd.evaluation import DiscLikeSet, score_disc_like
from vcd.evaluation.synthesis.disc_like import stranger_quantiles

VSC2022 = FitSettings()
SSCD = FitSettings(drop_lowest_variance=False, weight=1.0, stop_neighbour=3)
FITS = {
    "VSC2022: drop, 1.2 [0, 1)": VSC2022,
    "1.2 [0, 1), nothing dropped": replace(VSC2022, drop_lowest_variance=False),
    "SSCD: 1.0 [0, 3)": SSCD,
    "drop, 1.0 [0, 3)": replace(SSCD, drop_lowest_variance=True),
    "0.5 [0, 3)": replace(SSCD, weight=0.5),
    "0.7 [0, 10)": replace(SSCD, weight=0.7, stop_neighbour=10),
    "drop alone": replace(VSC2022, weight=0.0),
    "whitening to 256 alone": FitSettings(whitening_dim=256, weight=0.0),
    "whitening to 128 alone": FitSettings(whitening_dim=128, weight=0.0),
    "whitening to 256, 1.2 [0, 1)": replace(VSC2022, whitening_dim=256),
    "whitening to 256, 1.0 [0, 3)": replace(SSCD, whitening_dim=256),
    "whitening to 128, 1.0 [0, 3)": replace(SSCD, whitening_dim=128),
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    photos = parser.parse_args(argv).photos
    disc = held_out_set(photos, every=6)
    input_px = stated_input_px(BUNDLED)
    queries, refs = (onnx_features(BUNDLED, each, input_px) for each in (disc.queries, disc.refs))
    background = bundled_background()
    print("| fit | micro-AP | recall at P90 | accuracy at 1 | offset | floors | on the set |")
    print("| --- | ---: | ---: | ---: | ---: | --- | --- |")
    print(row("none", Fit(space=background.space), disc, queries @ refs.T))
    for name, settings in FITS.items():
        fit = fit_background(background, settings)
        prepared = fit.project(queries)
        scores = prepared @ fit.project(refs).T
        if fit.score_norm is not None:
            scores += fit.score_norm.bias(prepared)[:, None]
        print(row(name, fit, disc, scores))
    return 0


def row(name: str, fit: Fit, disc: DiscLikeSet, scores: NDArray[np.float32]) -> str:
    measured = score_disc_like(disc, scores)
    metrics = [measured[each] for each in ("micro_ap", "recall_at_p90", "accuracy_at_1")]
    offset = "" if fit.score_norm is None else f"{fit.score_norm.offset:.3f}"
    profile = fit.profile(bundled_card().profile)
    evidence, hit = stranger_quantiles(disc, scores, (0.995, 0.9995))
    cells = [name, *(f"{each:.3f}" for each in metrics), offset]
    cells += [
        f"{profile.min_similarity:.3f}, {profile.hit_floor:.3f}",
        f"{evidence:.3f}, {hit:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
