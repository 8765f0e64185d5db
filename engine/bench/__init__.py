"""Instruments as the engine uses them: a driver's data on a session, guarded, remembered, and left safe."""

from engine.bench.bench import InstrumentBench

__all__ = ["InstrumentBench"]
