"""The villains, where a network of one's own is not permitted."""

from tests.fault import villains
from vcd.media import confinement


def main(arguments):
    confinement._leave_network = lambda: False
    villains.main(arguments)
