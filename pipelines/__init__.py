"""The verbs of the `vcd` command: wiring, flags and exit codes, no arithmetic."""
