"""Parameters of a command: what may stand there, and how it is read.

Errors are the numbers of SCPI-99: -104 data type, -108 not allowed, -109 missing, -131 suffix, -222 range, -224 choice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.sim.scpi.status import ScpiError

Argument = float | int | bool | str

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d{1,3})?)\s*([A-Z%/]*)\Z")
_RADIX = re.compile(r"#([HQB])([0-9A-F]+)\Z")
_MULTIPLIERS = {"": 1.0, "G": 1e9, "MA": 1e6, "K": 1e3, "M": 1e-3, "U": 1e-6, "N": 1e-9, "P": 1e-12}
_KINDS = frozenset({"float", "int", "bool", "string"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: a ``float``, ``int``, ``bool``, ``string`` or a ``choice`` of words."""

    name: str
    kind: str = "float"
    is_optional: bool = False
    choices: tuple[str, ...] = ()
    """Words in SCPI spelling; the value is the short form."""
    unit: str = ""
    """The suffix a number may carry, such as ``V``; multiples of it are converted."""
    minimum: float | None = None
    maximum: float | None = None
    default: float | None = None
    error: tuple[int, str] | None = None
    """Queued for a number out of range; -222 unless given."""

    def read(self, text: str) -> Argument:
        """The value of a parameter as sent. Raises ScpiError."""
        match self.kind:
            case "float":
                return self._float(text)
            case "int":
                return self._int(text)
            case "bool":
                return self._bool(text)
            case "choice":
                return self._choice(text)
            case _:
                return _string(text)

    def _float(self, text: str) -> float:
        upper = text.upper()
        keyword = _KEYWORDS.get(upper)
        if keyword is not None:
            bound = {"MIN": self.minimum, "MAX": self.maximum, "DEF": self.default}[keyword]
            if bound is None:
                raise ScpiError(-224)
            return bound
        found = _NUMBER.match(upper)
        if found is None:
            raise ScpiError(-104)
        value = float(found[1])
        if found[2]:
            value *= self._multiplier(found[2])
        return self.within(value)

    def within(self, value: float) -> float:
        """The value, if it lies in the range. Raises ScpiError -222."""
        if (self.minimum is not None and value < self.minimum) or (self.maximum is not None and value > self.maximum):
            raise ScpiError(*(self.error or (-222,)))
        if value in (float("inf"), float("-inf")):
            raise ScpiError(-222)
        return value

    def _multiplier(self, suffix: str) -> float:
        unit = self.unit.upper()
        if not unit:
            raise ScpiError(-138)
        if not suffix.endswith(unit):
            raise ScpiError(-131)
        prefix = suffix.removesuffix(unit)
        if unit in ("OHM", "HZ") and prefix == "M":  # SCPI-99 volume 1, 7.2.1: MOHM and MHZ are mega
            return 1e6
        multiplier = _MULTIPLIERS.get(prefix)
        if multiplier is None:
            raise ScpiError(-131)
        return multiplier

    def _int(self, text: str) -> int:
        upper = text.upper()
        radix = _RADIX.match(upper)
        if radix is not None:
            try:
                return int(self.within(int(radix[2], {"H": 16, "Q": 8, "B": 2}[radix[1]])))
            except ValueError:
                raise ScpiError(-104) from None
        return round(self._float(text))

    def _bool(self, text: str) -> bool:
        upper = text.upper()
        if upper in ("ON", "1"):
            return True
        if upper in ("OFF", "0"):
            return False
        raise ScpiError(-104 if _NUMBER.match(upper) is None and not upper.isalpha() else -224)

    def _choice(self, text: str) -> str:
        word = text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
        for choice in self.choices:
            if word.upper() in (choice.upper(), short_form(choice)):
                return short_form(choice)
        raise ScpiError(-224)


_KEYWORDS = {
    "MIN": "MIN",
    "MINIMUM": "MIN",
    "MAX": "MAX",
    "MAXIMUM": "MAX",
    "DEF": "DEF",
    "DEFAULT": "DEF",
}


def short_form(word: str) -> str:
    """The capitals and digits of a SCPI mnemonic, ``VOLT`` of ``VOLTage``; colons stay."""
    return "".join(c for c in word if not c.islower())


def _string(text: str) -> str:
    if text[:1] in ("'", '"'):
        quote = text[0]
        if len(text) < 2 or text[-1] != quote:
            raise ScpiError(-151)
        return text[1:-1].replace(quote * 2, quote)
    return text


def read_parameter_declaration(text: str) -> Parameter:
    """``x:float``, ``n:int``, ``s:bool``, ``w:string``, ``m:DCV|DCI``, as a device file has it. Raises ValueError."""
    name, _, kind = text.partition(":")
    name, kind = name.strip(), kind.strip() or "float"
    if not name.isidentifier():
        raise ValueError(f"`{text}` does not name a parameter; write it as `<x:float>`")
    if "|" in kind:
        return Parameter(name, "choice", choices=tuple(word.strip() for word in kind.split("|")))
    if kind not in _KINDS:
        raise ValueError(f"`{kind}` is no kind of parameter; use float, int, bool, string or words such as `DCV|DCI`")
    return Parameter(name, kind)
