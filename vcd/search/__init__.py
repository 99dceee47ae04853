"""Search reference descriptors and decide which pairs are worth aligning."""
