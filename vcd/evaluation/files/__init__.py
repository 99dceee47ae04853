"""Read, check and write the files of the field: CSV, JSON and the limits of a challenge."""
