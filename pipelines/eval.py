"""`vcd eval ACTION`: measure against a ground truth, check files, set a threshold."""

import argparse
import importlib
import importlib.util
from collections.abc import Sequence

from pipelines.cli import Verb, verb_parser

__all__ = ["ACTIONS", "available_actions", "main"]


ACTIONS = (
    Verb("vsc-matching", "pipelines.eval_vsc_matching", "segment AP of a matches file (VSC2022)"),
    Verb("vsc-descriptor", "pipelines.eval_vsc_descriptor", "micro-AP of descriptors (VSC2022)"),
    Verb("disc", "pipelines.eval_disc", "micro-AP of image descriptors (DISC2021)"),
    Verb("copydays", "pipelines.eval_copydays", "mAP of image descriptors (Copydays)"),
    Verb("vcsl", "pipelines.eval_vcsl", "segment precision, recall and F of matches (VCSL)"),
    Verb("validate", "pipelines.eval_validate", "hold a file against the challenge's limits"),
    Verb("calibrate", "pipelines.eval_calibrate", "find the threshold for a wished precision"),
    Verb("vsc2022", "pipelines.eval_vsc2022", "measure a whole data set: VSC2022, `vcd synth`"),
    Verb("disc2021", "pipelines.eval_disc2021", "measure a whole data set: DISC2021"),
)


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd eval --help``."""
    actions = {action.name: action for action in available_actions()}
    parser = verb_parser("eval", _about())
    parser.usage = "vcd eval ACTION ..."
    parser.add_argument("action", choices=actions, metavar="ACTION", help=argparse.SUPPRESS)
    chosen = parser.parse_args(argv[:1] or ["--help"])
    module = importlib.import_module(actions[chosen.action].module)
    code: int = module.main(list(argv[1:]))
    return code


def available_actions() -> tuple[Verb, ...]:
    """List the actions whose file is there."""
    return tuple(each for each in ACTIONS if importlib.util.find_spec(each.module) is not None)


def _about() -> str:
    actions = "\n".join(f"  {each.name:<15} {each.summary}" for each in available_actions())
    return (
        "Measure against a ground truth as the benchmarks do, with 95 % intervals.\n\n"
        f"{actions}\n\nEach action explains itself: vcd eval vsc-matching --help"
    )
