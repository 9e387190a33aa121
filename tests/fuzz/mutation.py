"""Small changes of an input, for the long run and for Hypothesis, which takes them back one by one."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["flip", "insert", "overwrite", "remove", "repeat", "cut", "number"]
KINDS: tuple[Kind, ...] = ("flip", "insert", "overwrite", "remove", "repeat", "cut", "number")

MOST_BYTES = 64 * 1024
"""No input grows above this; what larger ones meet is tested by itself."""

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change.

    Attributes:
        kind: what is done.
        place: where, as a share of the length, from 0 to 1.
        amount: how much, where that matters: bytes that are removed, times that something is repeated.
        piece: what is put in.
    """

    kind: Kind
    place: float
    amount: int
    piece: bytes

    def of(self, data: bytes) -> bytes:
        """The changed input."""
        at = int(self.place * len(data))
        match self.kind:
            case "flip":
                changed = (
                    data[:at] + bytes([data[at] ^ 1 << self.amount % 8]) + data[at + 1 :]
                    if at < len(data)
                    else data
                )
            case "insert":
                changed = data[:at] + self.piece + data[at:]
            case "overwrite":
                changed = data[:at] + self.piece + data[at + len(self.piece) :]
            case "remove":
                changed = data[:at] + data[at + self.amount :]
            case "repeat":
                changed = data[:at] + data[at : at + 16] * self.amount + data[at:]
            case "cut":
                changed = data[:at]
            case "number":
                number = _NUMBERS[self.amount % len(_NUMBERS)]
                width = 1 if number < 1 << 8 else 2 if number < 1 << 16 else 4
                order: Literal["big", "little"] = "big" if self.amount & 1 else "little"
                changed = data[:at] + number.to_bytes(width, order) + data[at + width :]
        return changed[:MOST_BYTES]


def random_mutation(chance: random.Random, words: Sequence[bytes], others: Sequence[bytes]) -> Mutation:
    """A change with a word, random bytes, or a piece of another input."""
    source = chance.random()
    if words and source < 0.5:
        piece = chance.choice(words)
    elif source < 0.8:
        other = chance.choice(others)
        start = chance.randrange(len(other) + 1)
        piece = other[start : start + chance.randrange(1, 64)]
    else:
        piece = chance.randbytes(chance.randrange(1, 9))
    amount = chance.randrange(1, 17) if chance.random() < 0.95 else chance.randrange(1, 4000)
    return Mutation(chance.choice(KINDS), chance.random(), amount, piece)
