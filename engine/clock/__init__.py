"""Two clocks with one kernel: simulated seconds that cost nothing, and real ones that are waited for."""

from engine.clock.virtual import VirtualClock
from engine.clock.wall import WallClock

__all__ = ["VirtualClock", "WallClock"]
