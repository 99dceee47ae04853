"""Turn the similarity of two videos into the stretches that were copied."""
