"""The simulated multimeter of 6½ digits: ranges, integration time, accuracy, noise and resolution.

Noise and resolution follow the tables such meters are sold with (0.3 ppm of range rms at one power-line cycle, better
with longer integration, much worse below one cycle, where hum is no longer averaged out). Gain and offset errors belong
to the meter, not to the reading: they are drawn once from the world's seed and the meter's name.

A meter is wired to one site, or (``matrix``) stands behind a switch and reads the voltage that a closed relay leads to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.sim.instruments.base import Option, Place, SimulatedInstrument, read_choice, read_name, read_options
from engine.sim.noise import keyed_gauss
from engine.sim.scpi.arguments import Parameter, short_form
from engine.sim.scpi.status import ScpiError

LINE_HZ = 50.0
CYCLES = (0.02, 0.2, 1.0, 10.0, 100.0)
NOISE_PPM = {0.02: 3.0, 0.2: 0.8, 1.0: 0.3, 10.0: 0.1, 100.0: 0.03}
"""Standard deviation of a reading in ppm of the range."""
RESOLUTION_PPM = {0.02: 3.0, 0.2: 0.7, 1.0: 0.3, 10.0: 0.1, 100.0: 0.03}
"""Step of a reading in ppm of the range."""
OVERRANGE = 9.9e37
PICKUP_V = 200e-6
"""Standard deviation of what an input picks up that hangs open."""

OPTIONS = {
    "voltage": Option(choices=("vout", "vin")),
    "current": Option(choices=("load", "input", "ground")),
    "matrix": Option(is_name=True),
    "gain_error": Option("ppm", 10.0),
    "offset_error": Option("ppm", 1.0),
    "noise": Option("", 1.0),
    "resistance": Option("Ohm", OVERRANGE),
    "ripple": Option("V", 0.0),
    "overhead": Option("s", 0.0),
}


@dataclass(frozen=True, slots=True)
class Function:
    """What the meter can measure."""

    header: str
    """Long form; its short form names the function in ``CONF?``."""
    ranges: tuple[float, ...]
    headroom: float = 1.2
    """Share of the range that can still be read."""


FUNCTIONS = (
    Function("VOLTage:DC", (0.1, 1.0, 10.0, 100.0, 1000.0)),
    Function("VOLTage:AC", (0.1, 1.0, 10.0, 100.0, 750.0)),
    Function("CURRent:DC", (1e-4, 1e-3, 1e-2, 0.1, 1.0, 3.0, 10.0)),
    Function("RESistance", (100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)),
)


class Multimeter(SimulatedInstrument):
    """``MEAS:…?`` selects and reads, ``CONF:…`` selects, ``READ?`` reads; ranges and NPLC stay as they were set."""

    def __init__(self, identity: str, place: Place, serial_of_unit: str) -> None:
        super().__init__(identity, place, serial_of_unit)
        options = read_options(place, OPTIONS)
        self._matrix = read_name(place, "matrix")
        self._site = None if self._matrix is not None else self.wired_site()
        self._at_input = read_choice(place, "voltage", OPTIONS["voltage"]) == "vin"
        self._current_path = read_choice(place, "current", OPTIONS["current"])
        self._noise_scale = options["noise"]
        self._resistance = options["resistance"]
        self._ripple = options["ripple"]
        self._overhead_s = options["overhead"]
        seed = place.world.seed
        self._gain: dict[str, float] = {}
        self._offset: dict[str, float] = {}
        self._function = FUNCTIONS[0]
        self._nplc = 1.0
        self._ranges: dict[str, float] = {}
        """Fixed ranges by header; 0 chooses automatically."""
        for function in FUNCTIONS:
            name = function.header
            key = (seed, place.name, place.serial, name)
            self._gain[name] = 1.0 + options["gain_error"] * 1e-6 * keyed_gauss(*key, "gain")
            self._offset[name] = options["offset_error"] * 1e-6 * keyed_gauss(*key, "offset")
            self._offer(function)
        self.add("CONFigure?", lambda: f'"{short_form(self._function.header)}"')
        self.add("[SENSe:]FUNCtion?", lambda: f'"{short_form(self._function.header)}"')
        spellings = ("VOLTage:DC", "VOLTage:AC", "CURRent:DC", "RESistance", "VOLTage", "CURRent")
        which = Parameter("function", "choice", choices=spellings)
        self.add("[SENSe:]FUNCtion[:ON]", self._select_by_name, parameters=(which,))
        self.add("READ?", lambda: self._reading(self._function))

    def _offer(self, function: Function) -> None:
        header = function.header
        head = header.replace(":DC", "[:DC]")
        span = Parameter("range", "float", True, minimum=0.0, maximum=function.ranges[-1], default=0.0)
        resolution = Parameter("resolution", "float", True)
        both = (span, resolution)

        def configure(range_: float | None, _: float | None) -> None:
            self._function = function
            if range_ is not None:
                self._set_range(function, range_)

        def measure(range_: float | None, resolution_: float | None) -> str:
            configure(range_, resolution_)
            return self._reading(function)

        self.add(f"MEASure[:SCALar]:{head}?", measure, parameters=both)
        self.add(f"CONFigure[:SCALar]:{head}", configure, parameters=both)
        fixed = Parameter("range", "float", minimum=0.0, maximum=function.ranges[-1], default=0.0)
        self.add(f"[SENSe:]{head}:RANGe[:UPPer]", lambda value: self._set_range(function, value), parameters=(fixed,))
        self.add(f"[SENSe:]{head}:RANGe[:UPPer]?", lambda: f"{self._ranges.get(header, 0.0):+.8E}")
        auto = Parameter("state", "bool")
        self.add(
            f"[SENSe:]{head}:RANGe:AUTO",
            lambda state: self._set_range(
                function, 0.0 if state else self._range_for(function, self._true_value(function))
            ),
            parameters=(auto,),
        )
        self.add(f"[SENSe:]{head}:RANGe:AUTO?", lambda: "0" if self._ranges.get(header) else "1")
        cycles = Parameter("cycles", minimum=CYCLES[0], maximum=CYCLES[-1], default=1.0)
        self.setting(f"[SENSe:]{head}:NPLCycles", cycles, self._set_nplc, lambda: self._nplc, "%+.8E")

    def reset(self) -> None:
        self._function = FUNCTIONS[0]
        self._nplc = 1.0
        self._ranges = {}

    def _set_nplc(self, value: float) -> None:
        self._nplc = next(cycles for cycles in CYCLES if value <= cycles)

    def _set_range(self, function: Function, value: float) -> None:
        fits = [span for span in function.ranges if value <= span]
        self._ranges[function.header] = fits[0] if value else 0.0

    def _select_by_name(self, name: str) -> None:
        for function in FUNCTIONS:
            if short_form(function.header).removesuffix(":DC") == name.removesuffix(":DC"):
                self._function = function
                return
        raise ScpiError(-224)

    def _true_value(self, function: Function) -> float:
        match function.header:
            case "VOLTage:AC":
                return self._ripple
            case "RESistance":
                return self._resistance
        if self._site is None:
            return self._behind_matrix(function)
        point = self._site.at(self.now()).point
        if function.header == "VOLTage:DC":
            return point.vin if self._at_input else point.vout
        match self._current_path:
            case "load":
                return point.iload
            case "ground":
                return point.iq
            case _:
                return point.iload + point.iq

    def _behind_matrix(self, function: Function) -> float:
        """What the closed relay leads to; current finds no way back through a switch."""
        if function.header != "VOLTage:DC":
            return 0.0
        relays = self.place.relays_of(self._matrix or "")
        voltage = relays.voltage(self.now()) if relays is not None else None
        return PICKUP_V * self.noise.gauss() if voltage is None else voltage

    def _range_for(self, function: Function, value: float) -> float:
        size = abs(value)
        return next((span for span in function.ranges if size <= span * function.headroom), function.ranges[-1])

    def _reading(self, function: Function) -> str:
        nplc = self._nplc
        self.latency_s += nplc / LINE_HZ + self._overhead_s
        header = function.header
        value = self._true_value(function)
        span = self._ranges.get(header) or self._range_for(function, value)
        if abs(value) > span * function.headroom:
            return "%+.8E" % (OVERRANGE if value > 0.0 else -OVERRANGE)
        noise = NOISE_PPM[nplc] * 1e-6 * self._noise_scale * self.noise.gauss()
        value = value * self._gain[header] + span * (self._offset[header] + noise)
        if header == "VOLTage:AC":
            value = abs(value)
        step = span * RESOLUTION_PPM[nplc] * 1e-6
        return "%+.8E" % (round(value / step) * step)
