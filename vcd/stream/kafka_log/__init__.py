"""Kafka as a log: the only door to its client."""
