"""Benchwright runs test procedures written in YAML on simulated and real benches."""
