"""How long a node takes, and how that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["history", "simulated", "duration", "latency", "assumed"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one execution of a node, seconds."""

    mean_s: float
    spread_s: float = 0.0
    """Standard deviation."""
    p90_s: float = 0.0
    """Nine of ten take no longer; 0: not known."""
    source: Source = "assumed"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much planning is worth: exactly one of the two counts."""

    seconds: float | None = None
    iterations: int | None = None
    """Gives the same plan on every machine."""

    @classmethod
    def parse(cls, text: str) -> Budget:
        """`5s`, `500 ms`, `2 min` or `iters:2000`; raises ValueError."""
        text = text.strip()
        if text.startswith("iters:"):
            count = int(text.removeprefix("iters:").replace("_", ""))
            if count < 0:
                raise ValueError(f"`{text}` is negative")
            return cls(iterations=count)
        for suffix, scale in (("ms", 0.001), ("min", 60.0), ("s", 1.0)):
            if text.endswith(suffix):
                seconds = float(text.removesuffix(suffix)) * scale
                if not 0 <= seconds < 1e6:
                    raise ValueError(f"`{text}` is not a time to plan for")
                return cls(seconds=seconds)
        raise ValueError(f"`{text}` is neither a time such as `5s` nor a count such as `iters:2000`")
