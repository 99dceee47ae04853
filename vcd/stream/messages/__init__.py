"""What is said on the bus: records, their bytes, and what becomes of a message nobody can use."""
