"""From a value to the text an instrument is sent.

Numbers keep what was written: the shortest decimal form, up to 12 significant digits. A text can end neither its
command nor its quotation marks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.bench.commands import CommandTemplate, ValuePlace
from engine.core.bench import PropertySpec, PropertyValue
from engine.core.errors import UsageError

Encoder = Callable[[PropertyValue], str]


def number_text(value: float, form: str = "") -> str:
    """`3.3`, `1E-05`; `form` is a format of Python such as `.6g`, or `d` for a whole number."""
    value = value + 0.0  # no "-0"
    if form.endswith("d"):
        return format(round(value), form)
    return format(value, form or ".12G")


def command_encoder(template: CommandTemplate, prop: PropertySpec, where: str) -> Encoder:
    """What makes the finished command of a checked value; raises UsageError for a format that cannot be."""
    if prop.type != "number" and any(place.format for place in template.places):
        raise UsageError(f"{where}: only a number takes a format, and this is `type: {prop.type}`")
    fill = template.fill
    match prop.type:
        case "number":
            plain = template.places == (ValuePlace("", ""),)
            if plain:  # nearly all: keep it to one formatting
                before, after = template.texts
                return lambda value: f"{before}{value + 0.0:.12G}{after}"  # type: ignore[operator]
            return lambda value: fill(lambda place: number_text(value, place.format))  # type: ignore[arg-type]
        case "on_off":
            on, off = fill(lambda place: "ON"), fill(lambda place: "OFF")
            return lambda value: on if value else off
        case "choice":
            choices: Mapping[str, str] = prop.choices or {}
            commands = {word: fill(lambda place, sent=sent: sent) for word, sent in choices.items()}  # type: ignore[misc]
            return lambda value: commands[value]  # type: ignore[index]
        case "text":
            return lambda value: fill(lambda place: _quoted(str(value), place.quote))
        case "array":
            return lambda value: fill(lambda place: ",".join(number_text(item) for item in value))  # type: ignore[union-attr, arg-type]


def sent_numbers(template: CommandTemplate, value: float) -> list[float]:
    """What the instrument will read of a number where a coarse format rounds it."""
    return [float(number_text(value, place.format)) for place in template.places if place.format]


def _quoted(text: str, quote: str) -> str:
    return text.replace(quote, quote * 2) if quote else text
