"""Write drawn.json anew, by the plain versions: ``python -m tests.golden.vsc2022.make_drawn``."""

import json
from pathlib import Path

from tests.golden.vsc2022.recipes import RECIPES, drawn_truth
from tests.plain_metrics import pair_micro_ap, segment_ap

if __name__ == "__main__":
    rows = drawn_truth()
    drawn = {
        name: {
            "segment_ap": segment_ap(recipe(rows), rows),
            "micro_ap": pair_micro_ap(recipe(rows), rows),
        }
        for name, recipe in RECIPES.items()
    }
    path = Path(__file__).parent / "drawn.json"
    path.write_text(json.dumps(drawn, indent=1) + "\n")
