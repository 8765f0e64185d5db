"""What each capability must offer: the standard properties and their units.

One table serves the compiler, the documentation and whoever writes a driver. A driver may offer more; `generic` asks for nothing.
"""

from __future__ import annotations

CAPABILITIES: dict[str, dict[str, str]] = {
    "thermal_chamber": {"setpoint": "degC", "temperature": "degC", "stable": "on_off", "ramp_rate": "degC/min"},
    "power_supply": {
        "voltage": "V",
        "current_limit": "A",
        "voltage_measured": "V",
        "current_measured": "A",
        "output": "on_off",
    },
    "multimeter": {
        "voltage_dc": "V",
        "current_dc": "A",
        "voltage_ac": "V",
        "resistance": "Ohm",
        "range": "any",
        "nplc": "any",
    },
    "electronic_load": {"current": "A", "voltage_measured": "V", "current_measured": "A", "input": "on_off"},
    "source_measure": {
        "voltage": "V",
        "current_limit": "A",
        "voltage_measured": "V",
        "current_measured": "A",
        "output": "on_off",
    },
    "oscilloscope": {"waveform": "any", "timebase": "s", "vertical_scale": "any"},
    "function_generator": {"frequency": "Hz", "amplitude": "V", "offset": "V", "output": "on_off"},
    "switch": {"closed": "any"},
    "digital_io": {"output": "any", "input": "any"},
    "hipot": {"voltage": "V", "current_limit": "A", "current_measured": "A", "output": "on_off"},
    "rf_source": {"frequency": "Hz", "power": "dBm", "output": "on_off"},
    "spectrum_analyser": {"center": "Hz", "span": "Hz", "trace": "any"},
    "generic": {},
}
"""Capability → property → its unit, `on_off` for a switch, `any` where models differ."""
