"""How the processes of a run find each other; what they tell each other is in ``test_gather``."""

from datetime import timedelta

from torch import distributed

from vcd.training.processes import joined


def test_processes_wait_while_the_first_decodes_a_million_photographs(monkeypatch):
    """One of 1024 x 768 pixels takes 15 ms."""
    given: dict[str, timedelta] = {}

    def start(backend, *, timeout):
        given["timeout"] = timeout

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(distributed, "init_process_group", start)
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: None)

    with joined(uses_gpu=False):
        pass

    assert given["timeout"] > 2 * 1_000_000 * timedelta(milliseconds=15)
