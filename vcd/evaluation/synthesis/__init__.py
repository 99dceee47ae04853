"""Make copies whose truth is known: edits, plans of edited videos, drawn footage."""
