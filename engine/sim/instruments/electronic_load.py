"""The simulated electronic load, in constant current on the output of the unit."""

from __future__ import annotations

from engine.sim.instruments.base import Option, Place, SimulatedInstrument, read_options
from engine.sim.scpi.arguments import Parameter

OPTIONS = {
    "current_maximum": Option("A", 5.0),
    "voltage_noise": Option("V", 200e-6),
    "current_noise": Option("A", 20e-6),
    "latency": Option("s", 0.005),
}


class ElectronicLoad(SimulatedInstrument):
    """``CURR``, ``INP``, ``MEAS:VOLT?``, ``MEAS:CURR?``; at a unit without output it takes what little there is."""

    def __init__(self, identity: str, place: Place, serial_of_unit: str) -> None:
        super().__init__(identity, place, serial_of_unit)
        options = read_options(place, OPTIONS)
        self._site = self.wired_site()
        self._voltage_noise = options["voltage_noise"]
        self._current_noise = options["current_noise"]
        self._level = 0.0
        self._input = False
        latency_s = options["latency"]
        current = Parameter("value", unit="A", minimum=0.0, maximum=options["current_maximum"], default=0.0)
        header = "[SOURce:]CURRent[:LEVel][:IMMediate][:AMPLitude]"
        self.setting(header, current, self._set_level, lambda: self._level, "%.5f", latency_s)
        state = Parameter("state", "bool")
        for node in ("[SOURce:]INPut", "OUTPut"):
            self.add(f"{node}[:STATe]", self._set_input, parameters=(state,), latency_s=latency_s)
            self.add(f"{node}[:STATe]?", lambda: "1" if self._input else "0", latency_s=latency_s)
        mode = Parameter("mode", "choice", choices=("CURRent",))
        self.add("[SOURce:]FUNCtion", lambda mode: None, parameters=(mode,), latency_s=latency_s)
        self.add("[SOURce:]FUNCtion?", lambda: "CURR", latency_s=latency_s)
        self.add("MEASure[:SCALar]:VOLTage[:DC]?", self._measure_voltage, latency_s=latency_s)
        self.add("MEASure[:SCALar]:CURRent[:DC]?", self._measure_current, latency_s=latency_s)
        self.add("MEASure[:SCALar]:POWer[:DC]?", self._measure_power, latency_s=latency_s)

    def reset(self) -> None:
        self._level, self._input = 0.0, False
        self._apply()

    def _apply(self) -> None:
        self._site.load(self.now(), self._level if self._input else 0.0)

    def _set_level(self, value: float) -> None:
        self._level = value
        self._apply()

    def _set_input(self, state: bool) -> None:
        self._input = state
        self._apply()

    def _measure_voltage(self) -> str:
        return "%.4f" % (self._site.at(self.now()).point.vout + self._voltage_noise * self.noise.gauss())

    def _measure_current(self) -> str:
        if not self._input:
            return "0.000000"
        return "%.6f" % (self._site.at(self.now()).point.iload + self._current_noise * self.noise.gauss())

    def _measure_power(self) -> str:
        point = self._site.at(self.now()).point
        return "%.6f" % (point.vout * point.iload)
