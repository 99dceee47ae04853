"""Every verb explains itself at once and has few flags."""

import argparse
import importlib
import subprocess
import sys
import time

import pytest

from pipelines.cli import Verb, available_verbs
from pipelines.eval import ACTIONS, available_actions
from tests.house.house import ROOT

_SHARED = {"-h", "--help", "--config"}
_MAX_FLAGS = 8
_HEAVY = {"torch", "faiss", "kafka", "decord", "av", "onnxruntime", "onnx", "scipy", "pyarrow"}
_WORDS = [[], *([verb.name] for verb in available_verbs())]
_INDEX_ACTIONS = ("add", "calibrate", "exclude", "info", "preflight", "remove")
_INDEX_WORDS = [["index", word] for word in _INDEX_ACTIONS]
_EVAL_WORDS = [["eval", action.name] for action in available_actions()]


@pytest.mark.parametrize("words", [*_WORDS, *_INDEX_WORDS, *_EVAL_WORDS], ids=" ".join)
def test_help_comes_at_once_because_it_loads_nothing_heavy(words):
    script = (
        "import sys, pipelines.cli\n"
        f"code = pipelines.cli.main({[*words, '--help']!r})\n"
        "print(' '.join(sys.modules), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    started_s = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    elapsed_s = time.monotonic() - started_s

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("usage: vcd")
    assert _HEAVY.isdisjoint(result.stderr.split())
    assert elapsed_s < 10.0, "under a second on an idle machine; this one may be busy"


def _flags(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Collect the flags of every parser that a verb puts together before it reads them."""
    seen: list[argparse.ArgumentParser] = []

    def remember(self: argparse.ArgumentParser, *_args: object, **_named: object) -> None:
        seen.append(self)
        raise SystemExit(0)

    module = importlib.import_module(verb.module)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", remember)
    with pytest.raises(SystemExit):
        module.main([])
    (parser,) = seen
    return {option for action in parser._actions for option in action.option_strings[-1:]}


@pytest.mark.parametrize(
    "verb", [*available_verbs(), *available_actions()], ids=lambda verb: verb.name
)
def test_a_verb_has_at_most_eight_flags_of_its_own(verb, monkeypatch):
    flags = _flags(verb, monkeypatch)

    assert "--config" in flags
    assert len(flags - _SHARED) <= _MAX_FLAGS


def test_an_action_of_eval_is_the_file_of_its_name():
    assert [action for action in ACTIONS if action.module != _module_of(action)] == []


def _module_of(action: Verb) -> str:
    return f"pipelines.eval_{action.name.replace('-', '_')}"
