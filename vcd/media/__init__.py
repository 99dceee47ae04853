"""Turn a file of unknown origin into sampled frames with true times, or say why not."""
