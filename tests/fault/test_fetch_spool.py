"""Downloads of processes that were killed do not fill the disk."""

import subprocess
import sys
from pathlib import Path

from vcd.media.spool import Spool


def left_behind(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and path.name != "lock"]


def test_the_next_start_removes_what_a_killed_process_left_and_no_more(tmp_path):
    script = (
        "import os, signal, sys\n"
        "from vcd.media.spool import Spool\n"
        "spool = Spool(sys.argv[1])\n"
        "with spool.download() as download:\n"
        "    download.write(b'x' * 1000)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = str(tmp_path)
    living = Spool(root)
    with living.download() as download:
        download.write(b"mine")
        subprocess.run([sys.executable, "-c", script, root], check=False, timeout=60)
        assert len(left_behind(tmp_path)) == 2

        Spool(root).close()

        assert left_behind(tmp_path) == [download.path]
    living.close()


def test_a_folder_that_died_before_it_had_a_lock_is_removed(tmp_path):
    (tmp_path / "unfinished").mkdir()

    Spool(str(tmp_path)).close()

    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
