"""Uploads in, verdicts out, and an upload is done only when its verdict is durable."""
