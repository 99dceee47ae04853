"""Describe frames as unit vectors: network, weights, batches, files."""
