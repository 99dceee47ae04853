"""`vcd worker` whose decoders do what a file's name says: ``python -m tests.chaos.hostile_worker``.

Everything else is as in the real one. docs/design/media.md says what a decoding child may do to
its parent; tests/fault/villains.py does it.
"""

import sys
from collections.abc import Sequence
from functools import partial

from pipelines import cli, detection, stream_stage
from tests.chaos.mutations import VILLAINS
from vcd.media import DecodePool

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run the worker verb with villains for children."""
    for module in (detection, stream_stage):
        vars(module)["DecodePool"] = partial(DecodePool, child_module=VILLAINS)
    return cli.main(["worker", *argv])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
