"""Whether a command line that is written down somewhere is one that `vcd` understands."""

import argparse
import importlib
from collections.abc import Sequence

import pytest

from pipelines.cli import available_verbs


class _Understood(Exception):
    """The last parser of a command has taken all its words."""


def assert_understood(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the verb's own parsers read the words, and stop before anything is done."""
    parse = argparse.ArgumentParser.parse_args
    verbs = {verb.name: verb.module for verb in available_verbs()}

    def parse_and_stop(parser, args=None, namespace=None):
        parsed = parse(parser, args, namespace)
        if len(args) != 1:  # one word alone names an action, whose own parser comes next
            raise _Understood
        return parsed

    assert words[0] in verbs, f"no verb {words[0]}"
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    with pytest.raises(_Understood):
        importlib.import_module(verbs[words[0]]).main(list(words[1:]))
