"""Benchmarks, run by hand: `python -m tests.bench` prints all tables, `python -m tests.bench journal loading` some.

An absolute time does not carry from one machine to the next, so every figure stands beside a floor (a script that does
only what cannot be avoided) or a peer, both measured here and now. Nothing is asserted.
"""
