"""Uploads come from a message bus, verdicts go back to it, and nothing is lost."""
