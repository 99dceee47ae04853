"""A durable log in one SQLite file, for all processes of one machine."""
