"""Who may run now, and what running a node means: the plan, the clock and the bench meet here and nowhere else."""

from engine.dispatch.dispatcher import Dispatcher, RunResult
from engine.dispatch.unit import UnitResult, UnitUnderTest

__all__ = ["Dispatcher", "RunResult", "UnitResult", "UnitUnderTest"]
