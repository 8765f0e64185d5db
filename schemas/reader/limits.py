"""How large and how strange a file may be; beyond this it is an error, never a hang or a crash."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one file; lengths count characters unless the name says otherwise."""

    file_bytes: int = 16 << 20
    line_length: int = 20_000
    scalar_length: int = 1 << 20
    key_length: int = 1_024
    number_length: int = 64
    depth: int = 64
    """Containers inside one another."""
    entries: int = 100_000
    """Items of lists and entries of mappings as written; many points are one sweep, not many lines."""
    aliases: int = 50_000
    free_nodes: int = 200_000
    """Values after aliases are expanded that any file may have."""
    nodes_per_four_characters: int = 10
    """Values after expansion that each four characters of text allow on top."""
    most_nodes: int = 400_000
    """Values after expansion that no file may exceed: each is validated, as often as it is repeated."""
    problems: int = 100
    """Reading stops when this many were found."""

    def nodes(self, length: int) -> int:
        """Values that a text of so many characters may expand to."""
        return min(self.free_nodes + self.nodes_per_four_characters * (length // 4), self.most_nodes)


DEFAULT_LIMITS = Limits()
