"""The references of all workers, changed while they run: an index that follows a topic."""
