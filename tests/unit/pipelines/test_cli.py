import argparse
import logging
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator, Sequence

import pytest

from pipelines import cli
from vcd.core import InputError, SetupError, TransientError

Install = Callable[[Callable[[Sequence[str]], int]], None]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Undo what a command does to its own process."""
    handler, level = signal.getsignal(signal.SIGTERM), logging.getLogger().level
    yield
    signal.signal(signal.SIGTERM, handler)
    logging.getLogger().setLevel(level)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make ``vcd verb`` call a function."""

    def put(function: Callable[[Sequence[str]], int]) -> None:
        module = types.ModuleType("pipelines.verb")
        module.main = function  # type: ignore[attr-defined]  # a module made by hand
        module.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]  # it can be found
        monkeypatch.setitem(sys.modules, "pipelines.verb", module)
        monkeypatch.setattr(cli, "VERBS", (cli.Verb("verb", "pipelines.verb", "does it"),))

    return put


def _raising(error: BaseException) -> Callable[[Sequence[str]], int]:
    def run(_argv: Sequence[str]) -> int:
        raise error

    return run


def _remembering(seen: list[Sequence[str]], *, code: int) -> Callable[[Sequence[str]], int]:
    def run(argv: Sequence[str]) -> int:
        seen.append(argv)
        return code

    return run


def test_a_verb_gets_its_arguments_and_gives_the_exit_code(install):
    seen: list[Sequence[str]] = []
    install(_remembering(seen, code=3))

    assert cli.main(["verb", "a", "--index", "b"]) == 3
    assert seen == [["a", "--index", "b"]]


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        pytest.param(InputError("a.mp4: empty"), 1, "vcd: a.mp4: empty\n", id="the item"),
        pytest.param(SetupError("no weights"), 1, "vcd: no weights\n", id="the set-up"),
        pytest.param(TransientError("no net"), 1, "vcd: no net; the same command", id="the world"),
        pytest.param(KeyboardInterrupt(), 130, "vcd: interrupted; the same", id="Ctrl-C"),
        pytest.param(PermissionError(13, "Denied", "x"), 1, "vcd: x: Denied\n", id="the disk"),
        pytest.param(KeyError("oops"), 1, "unexpected KeyError: 'oops'; this is a", id="us"),
    ],
)
def test_what_goes_wrong_becomes_one_sentence(install, capsys, error, code, sentence):
    install(_raising(error))

    assert cli.main(["verb"]) == code
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize("argv", [["verb", "--debug"], ["--debug", "verb"]])
def test_debug_shows_the_traceback(install, capsys, argv):
    install(_raising(InputError("a.mp4: empty")))

    assert cli.main(argv) == 1
    assert "Traceback" in capsys.readouterr().err


def test_the_environment_can_ask_for_the_traceback(install, capsys, monkeypatch):
    monkeypatch.setenv("VCD_DEBUG", "1")
    install(_raising(InputError("a.mp4: empty")))

    cli.main(["verb"])

    assert "Traceback" in capsys.readouterr().err


def test_what_follows_two_dashes_is_left_alone(install):
    seen: list[Sequence[str]] = []
    install(_remembering(seen, code=0))

    cli.main(["verb", "--", "--debug"])

    assert seen == [["--", "--debug"]]


def test_a_term_signal_is_an_interruption(install):
    def run(_argv: Sequence[str]) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
        return 0

    install(run)

    assert cli.main(["verb"]) == 130


@pytest.mark.parametrize("argv", [["vebr"], ["verb", "--nonsense"]], ids=["verb", "flag"])
def test_misuse_is_2(install, capsys, argv):
    def run(given: Sequence[str]) -> int:
        cli.verb_parser("verb", "Do it.").parse_args(given)
        return 0

    install(run)

    assert cli.main(argv) == 2
    assert capsys.readouterr().err.startswith("usage: vcd")


def test_an_unknown_verb_is_told_the_ones_there_are(install, capsys):
    install(lambda _argv: 0)

    cli.main(["vebr"])

    assert "no verb 'vebr'; there are: verb" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--help"], []], ids=["asked", "bare"])
def test_help_lists_the_verbs(install, capsys, argv):
    install(lambda _argv: 0)

    assert cli.main(argv) == 0
    assert "verb         does it" in capsys.readouterr().out


def test_a_verb_whose_file_is_not_there_is_not_listed(monkeypatch):
    monkeypatch.setattr(cli, "VERBS", (cli.Verb("later", "pipelines.later", "not yet"),))

    assert cli.available_verbs() == ()


def test_every_verb_takes_a_settings_file():
    parser = cli.verb_parser("check", "Check.")

    assert isinstance(parser, argparse.ArgumentParser)
    assert str(parser.parse_args(["--config", "a.toml"]).config) == "a.toml"
