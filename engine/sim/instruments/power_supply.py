"""The simulated power supply: several channels, constant voltage and constant current; one channel feeds the unit."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.errors import UsageError
from engine.sim.instruments.base import Option, Place, SimulatedInstrument, read_options
from engine.sim.scpi.arguments import Parameter

OPTIONS = {
    "channels": Option("", 2.0, at_least=1.0),
    "vin_channel": Option("", 1.0, at_least=1.0),
    "voltage_maximum": Option("V", 20.0),
    "current_maximum": Option("A", 3.0),
    "voltage_noise": Option("V", 200e-6),
    "current_noise": Option("A", 0.2e-6),
    "latency": Option("s", 0.005),
}
UNREGULATED = 0x01
"""Bit of the QUEStionable register while the wired channel is in constant current."""
RESET_CURRENT_A = 1.0


@dataclass(slots=True)
class Channel:
    """What one output is set to."""

    voltage: float = 0.0
    current_limit: float = RESET_CURRENT_A
    output: bool = False


class PowerSupply(SimulatedInstrument):
    """Channels count from 1: by suffix (``VOLT2``, ``SOUR2:VOLT``), list (``(@2)``) or selection (``INST:NSEL 2``)."""

    def __init__(self, identity: str, place: Place, serial_of_unit: str) -> None:
        super().__init__(identity, place, serial_of_unit)
        options = read_options(place, OPTIONS)
        count = round(options["channels"])
        if count > 99 or not 1 <= options["vin_channel"] <= count:
            raise UsageError(
                f"simulated `{place.name}`: `vin_channel` must be one of its {count} channels", "channels count from 1"
            )
        self._site = self.wired_site()
        self._wired = round(options["vin_channel"])
        self._voltage_noise = options["voltage_noise"]
        self._current_noise = options["current_noise"]
        self._channels = [Channel() for _ in range(count)]
        self._selected = 1
        rest = {"latency_s": options["latency"], "channels": count}
        voltage = Parameter("value", unit="V", minimum=0.0, maximum=options["voltage_maximum"], default=0.0)
        current = Parameter("value", unit="A", minimum=0.0, maximum=options["current_maximum"], default=1.0)
        level = "[:LEVel][:IMMediate][:AMPLitude]"
        self.setting(
            f"[SOURce<n>:]VOLTage<n>{level}",
            voltage,
            self._set_voltage,
            self._voltage,
            "%.3f",
            options["latency"],
            count,
        )
        self.setting(
            f"[SOURce<n>:]CURRent<n>{level}",
            current,
            self._set_current,
            self._current,
            "%.4f",
            options["latency"],
            count,
        )
        self.add("OUTPut<n>[:STATe]", self._set_output, parameters=(Parameter("state", "bool"),), **rest)
        self.add("OUTPut<n>[:STATe]?", lambda n: "1" if self._at(n).output else "0", **rest)
        self.add("MEASure<n>[:SCALar]:VOLTage[:DC]?", self._measure_voltage, **rest)
        self.add("MEASure<n>[:SCALar]:CURRent[:DC]?", self._measure_current, **rest)
        self.add("MEASure<n>[:SCALar]:POWer[:DC]?", self._measure_power, **rest)
        select = Parameter("channel", "int", minimum=1, maximum=count)
        self.add("INSTrument:NSELect", self._select, parameters=(select,))
        self.add("INSTrument:NSELect?", lambda: str(self._selected))

    def questionable_condition(self) -> int:
        return UNREGULATED if self._site.at(self.now()).point.limiting else 0

    def reset(self) -> None:
        self._channels = [Channel() for _ in self._channels]
        self._selected = 1
        self._apply()

    def _at(self, number: int | None) -> Channel:
        return self._channels[(self._selected if number is None else number) - 1]

    def _is_wired(self, number: int | None) -> bool:
        return (self._selected if number is None else number) == self._wired

    def _apply(self) -> None:
        channel = self._channels[self._wired - 1]
        voltage = channel.voltage if channel.output else 0.0
        self._site.supply(self.now(), voltage, channel.current_limit)

    def _select(self, number: int) -> None:
        self._selected = number

    def _set_voltage(self, number: int | None, value: float) -> None:
        self._at(number).voltage = value
        self._apply()

    def _voltage(self, number: int | None) -> float:
        return self._at(number).voltage

    def _set_current(self, number: int | None, value: float) -> None:
        self._at(number).current_limit = value
        self._apply()

    def _current(self, number: int | None) -> float:
        return self._at(number).current_limit

    def _set_output(self, number: int | None, state: bool) -> None:
        self._at(number).output = state
        self._apply()

    def _terminals(self, number: int | None) -> tuple[float, float]:
        """True voltage and current of an output; one that is wired to nothing carries no current."""
        channel = self._at(number)
        if not channel.output:
            return 0.0, 0.0
        if not self._is_wired(number):
            return channel.voltage, 0.0
        point = self._site.at(self.now()).point
        return point.vin, point.iload + point.iq

    def _measure_voltage(self, number: int | None) -> str:
        if not self._at(number).output:
            return "0.0000"
        return "%.4f" % (self._terminals(number)[0] + self._voltage_noise * self.noise.gauss())

    def _measure_current(self, number: int | None) -> str:
        if not self._at(number).output:
            return "0.000000"
        return "%.7f" % (self._terminals(number)[1] + self._current_noise * self.noise.gauss())

    def _measure_power(self, number: int | None) -> str:
        voltage, current = self._terminals(number)
        return "%.6f" % (voltage * current)
