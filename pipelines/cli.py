"""The `vcd` command: choose the verb, load only its file, turn what happens into an exit code.

    0 done   1 failed   2 misuse   3 some items refused   130 interrupted

A verb raises what went wrong; only this file turns it into a sentence.
"""

import argparse
import importlib
import importlib.util
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from vcd import __version__
from vcd.core.errors import TransientError, VcdError

__all__ = [
    "EXIT_DONE",
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_MISUSE",
    "EXIT_PARTLY_DONE",
    "VERBS",
    "Verb",
    "available_verbs",
    "main",
    "verb_parser",
]

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_MISUSE = 2
EXIT_PARTLY_DONE = 3
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of the command, or one action of a verb, and the file that does it.

    Attributes:
        name: what is typed.
        module: has ``main(argv) -> int``; loaded only when its verb is typed.
        summary: its line of ``vcd --help``.
    """

    name: str
    module: str
    summary: str


VERBS = (
    Verb("demo", "pipelines.demo", "make videos, index them, edit copies, find them again"),
    Verb("check", "pipelines.check", "say which stretches of videos are copied, and from where"),
    Verb("index", "pipelines.index", "add, remove and list reference videos"),
    Verb("review", "pipelines.review", "make a page of evidence to look at and decide on"),
    Verb("verify", "pipelines.verify", "make evidence again and say whether it agrees"),
    Verb("feedback", "pipelines.feedback", "take in what reviewers decided about matches"),
    Verb("describe", "pipelines.describe", "write descriptors to a file"),
    Verb("match", "pipelines.match", "match descriptor files without their videos"),
    Verb("synth", "pipelines.synth", "make an edited data set with ground truth from own videos"),
    Verb("eval", "pipelines.eval", "measure against a ground truth as the benchmarks do"),
    Verb("dedup", "pipelines.dedup", "find near-duplicates, say which to keep, draw them"),
    Verb("models", "pipelines.models", "list, fetch and export weights"),
    Verb("train", "pipelines.train", "train a descriptor"),
    Verb("worker", "pipelines.worker", "check the uploads of a message bus as they come"),
    Verb("log", "pipelines.log", "make the topics of a message bus"),
    Verb("submit", "pipelines.submit", "put uploads on a message bus"),
    Verb("reports", "pipelines.reports", "read what was found from a message bus"),
    Verb("references", "pipelines.references", "change the references of all running workers"),
    Verb("dead-letters", "pipelines.dead_letters", "list and redrive what could not be used"),
    Verb("bench", "pipelines.bench", "measure decoding, describing, searching, aligning"),
)

_EPILOG = """\
Each verb explains itself: vcd check --help
Exit codes: 0 done, 1 failed, 2 misuse, 3 some items refused, 130 interrupted.
VCD_DEBUG=1 or --debug shows the traceback of a failure."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code; never raises."""
    arguments, wants_debug = _split_debug(sys.argv[1:] if argv is None else argv)
    wants_debug = wants_debug or os.environ.get("VCD_DEBUG", "") not in ("", "0")
    _log_to_stderr(wants_debug=wants_debug)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = _run_verb(arguments)
        sys.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else EXIT_DONE
    except BrokenPipeError:
        return _close_stdout()
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001  # the last door of the program
        if wants_debug:
            traceback.print_exception(error)
        print(f"vcd: {_sentence(error)}", file=sys.stderr)
        return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_FAILED
    return code


def available_verbs() -> tuple[Verb, ...]:
    """List the verbs whose file is there."""
    return tuple(verb for verb in VERBS if importlib.util.find_spec(verb.module) is not None)


def verb_parser(verb: str, about: str) -> argparse.ArgumentParser:
    """Start the parser of a verb: its name, what it is for, and the flags all verbs share.

    Args:
        verb: as typed, for example ``check``.
        about: the first lines of its ``--help``.
    """
    parser = argparse.ArgumentParser(
        prog=f"vcd {verb}", description=about, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings file (see configs/default.toml)"
    )
    return parser


def _run_verb(arguments: Sequence[str]) -> int:
    parser = _root_parser()
    chosen = parser.parse_args(arguments[:1])
    if chosen.verb is None:
        parser.print_help()
        return EXIT_DONE
    verbs = {verb.name: verb for verb in available_verbs()}
    if chosen.verb not in verbs:
        parser.error(f"no verb {chosen.verb!r}; there are: {', '.join(verbs)}")
    module = importlib.import_module(verbs[chosen.verb].module)
    code: int = module.main(list(arguments[1:]))
    return code


def _root_parser() -> argparse.ArgumentParser:
    verbs = "\n".join(f"  {verb.name:<12} {verb.summary}" for verb in available_verbs())
    parser = argparse.ArgumentParser(
        prog="vcd",
        usage="vcd VERB ...",
        description=f"Find the stretches of videos that were copied from other videos.\n\n{verbs}",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vcd {__version__}")
    parser.add_argument("verb", nargs="?", metavar="VERB", help=argparse.SUPPRESS)
    return parser


def _split_debug(argv: Sequence[str]) -> tuple[list[str], bool]:
    """Take ``--debug`` out from wherever it stands, but for what follows ``--``."""
    end = list(argv).index("--") if "--" in argv else len(argv)
    flags = [word for word in argv[:end] if word != "--debug"]
    return [*flags, *argv[end:]], len(flags) < end


def _log_to_stderr(*, wants_debug: bool) -> None:
    """Let this package warn; other libraries are heard when they fail, or in debugging."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger().setLevel(logging.INFO if wants_debug else logging.ERROR)
    for name in ("vcd", "pipelines"):
        logging.getLogger(name).setLevel(logging.DEBUG if wants_debug else logging.WARNING)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _sentence(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; the same command does what is left"
    if isinstance(error, TransientError):
        return f"{error}; the same command may succeed later"
    if isinstance(error, VcdError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return (
        f"unexpected {type(error).__name__}: {error}; this is a fault of vcd: "
        "please report it together with what VCD_DEBUG=1 prints"
    )


def _close_stdout() -> int:
    """The reader of a pipe left: say nothing, and keep Python from saying it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
