"""The villains, where system calls cannot be filtered."""

from tests.fault import villains
from vcd.media import confinement


def main(arguments):
    confinement._filter_system_calls = lambda: False
    villains.main(arguments)
