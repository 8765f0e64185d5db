"""The simulated thermal chamber."""

from __future__ import annotations

from engine.sim.instruments.base import Option, Place, SimulatedInstrument, read_options
from engine.sim.scpi.arguments import Parameter
from engine.sim.scpi.status import ScpiError

OPTIONS = {
    "latency": Option("s", 0.02),
    "minimum": Option("", -70.0, at_least=None),
    "maximum": Option("", 180.0, at_least=None),
}
SETTLING = 0x02
"""Bit of the OPERation register while the air is not stable."""
ROUNDING_MARGIN_K = 1e-9
"""Kept from the edge of rounding: a setpoint of 22.625 is approached for ever and shown one way or the other."""
SAFE_MARGIN_S = 1e-6
"""Kept before the instant at which a rounded reading would change."""


class ThermalChamber(SimulatedInstrument):
    """``TEMP:SETPoint``, ``TEMP:ACTual?``, ``TEMP:STABle?``, ``TEMP:RAMP``: one chamber for all sites."""

    def __init__(self, identity: str, place: Place, serial_of_unit: str) -> None:
        super().__init__(identity, place, serial_of_unit)
        options = read_options(place, OPTIONS)
        self._world = place.world
        self._chamber = place.world.chamber
        self._home = self._chamber.parameters.ambient
        latency_s = options["latency"]
        setpoint = Parameter(
            "value",
            unit="CEL",
            minimum=options["minimum"],
            maximum=options["maximum"],
            default=self._home,
        )
        ramp = Parameter("value", maximum=1000.0, default=self._chamber.parameters.ramp_rate)
        self.setting("[SOURce:]TEMPerature:SETPoint", setpoint, self._set, self._setpoint, "%.2f", latency_s)
        self.setting("[SOURce:]TEMPerature:RAMP", ramp, self._set_ramp, self._ramp, "%.2f", latency_s)
        self._actual = self.add("[MEASure:]TEMPerature:ACTual?", self._read, latency_s=latency_s)
        self._stable = self.add("[MEASure:]TEMPerature:STABle?", self._is_stable, latency_s=latency_s)

    def operation_condition(self) -> int:
        return 0 if self._chamber.stable(self.now()) else SETTLING

    def reset(self) -> None:
        self._world.set_setpoint(self.now(), self._home)
        self._world.set_ramp_rate(self.now(), self._chamber.parameters.ramp_rate)

    def steady_until(self, message: str) -> float | None:
        program = self._programs.get(message) or self._remember(message)
        if len(program) != 1 or program[0].command is None or self.interpose is not None:
            return None
        handler = program[0].command.handler
        if handler == self._is_stable:
            return self._chamber.stable_changes_at(self.now())
        if handler == self._read and not self._world.chamber_noise:
            return self._reading_changes_at(self.now())
        return None

    def _reading_changes_at(self, time_s: float) -> float:
        air = self._chamber.air(time_s)
        half = 0.005 - ROUNDING_MARGIN_K
        low, high = round(air, 2) - half, round(air, 2) + half
        if not low < air < high:
            return time_s
        return max(time_s, self._chamber.leaves_at(time_s, low, high) - SAFE_MARGIN_S)

    def _set(self, value: float) -> None:
        self._world.set_setpoint(self.now(), value)

    def _setpoint(self) -> float:
        return self._chamber.setpoint

    def _set_ramp(self, value: float) -> None:
        if value <= 0.0:
            raise ScpiError(-222)
        self._world.set_ramp_rate(self.now(), value)

    def _ramp(self) -> float:
        return self._chamber.ramp_rate

    def _read(self) -> str:
        sigma = self._world.chamber_noise
        error = sigma * self.noise.gauss() if sigma else 0.0
        return "%.2f" % (round(self._chamber.air(self.now()) + error, 2) + 0.0)  # + 0.0: no "-0.00"

    def _is_stable(self) -> str:
        return "1" if self._chamber.stable(self.now()) else "0"
