"""Unit cells: at most so many outcomes of each unit count, in memory that does not grow with the units.

Requests of one unit are alike. If a few busy units made most outcomes, a test that takes outcomes for independent
would find differences that are only those units' own. Measured at 5 to 95 with heavy-tailed use, where two outcomes
of a unit correlate by 0.14, a safe test at 5 % raises 10 % false alarms, and with 5 outcomes a unit 1 %. Where they
correlate by a third it is 15 % without a cap, 7 % with 10, and 4 % with 5.
"""

import base64
import math
import zlib
from collections.abc import Mapping
from typing import Any, Self

CELLS = 8192
CAP = 5
_MOST_FULL = int(0.7 * CELLS)
_BITS = 1 << 16

ALIKE = _BITS
"""Units whose hashes leave the same remainder by this are one unit to everything here."""


class DistinctUnits:
    """Counts distinct units in 8 KiB by linear counting (Whang, Vander-Zanden and Taylor, 1990).

    Each unit sets one of m = 65,536 bits, and with v of them unset there were about -m ln(v / m) units: within 1 %
    up to 100,000, and never more than 727,000.

    Attributes:
        bits: one bit for each remainder of a hash, None before the first unit.
    """

    __slots__ = ("_set", "bits")

    def __init__(self) -> None:
        self.bits: bytearray | None = None
        self._set = 0

    def add(self, unit: int) -> bool:
        """Take a unit by its hash, a whole number; say whether its bit was still unset.

        Whether it was does not depend on anything but the hashes, so the units that are told to be new are a fair
        sample of all.
        """
        if self.bits is None:
            self.bits = bytearray(_BITS // 8)
        at, bit = unit % _BITS >> 3, 1 << (unit & 7)
        if self.bits[at] & bit:
            return False
        self.bits[at] |= bit
        self._set += 1
        return True

    @property
    def count(self) -> int:
        """How many distinct units there were, about. It never falls."""
        unset = max(1, _BITS - self._set)
        return round(_BITS * math.log(_BITS / unset))

    def merge(self, other: "DistinctUnits") -> None:
        """Take all units that another has taken."""
        if other.bits is None:
            return
        mine = self.bits or bytearray(_BITS // 8)
        both = int.from_bytes(mine, "big") | int.from_bytes(other.bits, "big")
        self.bits, self._set = bytearray(both.to_bytes(_BITS // 8, "big")), both.bit_count()

    def to_json(self) -> str | None:
        """Write the bits as text, compressed."""
        return _packed(self.bits)

    @classmethod
    def from_json(cls, value: str | None) -> Self:
        """Read what `to_json` wrote."""
        distinct = cls()
        distinct.bits = _unpacked(value)
        distinct._set = int.from_bytes(distinct.bits or b"", "big").bit_count()
        return distinct


class UnitCells:
    """Says of each outcome whether it still counts: at most `cap` do for one unit.

    A unit's hash picks one of 8,192 cells, which is made with the first outcome and counts what was let through.
    Units that share a cell share its cap, which only makes the cap stricter.

    When more than 70 % of the cells are full, those that are full start anew. Otherwise a long, busy step would
    after some time take no evidence at all, and a candidate that breaks on its third day would go unseen. From then
    on the cap holds for each stretch between two such times, of some 57,000 outcomes that counted, and one unit's
    part of a stretch stays at most `cap`. It takes about 10,000 units to fill so many cells. Fewer have their cap
    for the whole step: what hundreds of units show is not more evidence for being shown ten thousand times.

    Attributes:
        cells: what each cell has let through since it last started, None before the first outcome.
        distinct: the units there were, with those from before a restart.
        restarts: how often full cells have started anew.
    """

    __slots__ = ("_cap", "_full", "cells", "distinct", "restarts")

    def __init__(self, cap: int = CAP) -> None:
        if not 0 < cap < 256:
            raise ValueError(f"a cell counts to between 1 and 255, not {cap}")
        self._cap = cap
        self.cells: bytearray | None = None
        self._full = 0
        self.distinct = DistinctUnits()
        self.restarts = 0

    def take(self, unit: int) -> bool:
        """Take an outcome of a unit, by its hash, a whole number; say whether it counts."""
        if self.cells is None:
            self.cells = bytearray(CELLS)
        self.distinct.add(unit)
        at = unit % CELLS
        if self.cells[at] >= self._cap:
            return False
        self.cells[at] += 1
        if self.cells[at] == self._cap:
            self._full += 1
            self._restart_if_full()
        return True

    @property
    def units(self) -> int:
        """How many distinct units there were, about, with those from before a restart."""
        return self.distinct.count

    def merge(self, other: "UnitCells") -> None:
        """Take what another has taken. Units that both have seen may by then have counted up to twice the cap."""
        self.distinct.merge(other.distinct)
        self.restarts += other.restarts
        if other.cells is None:
            return
        mine = self.cells or bytearray(CELLS)
        self.cells = bytearray(min(self._cap, a + b) for a, b in zip(mine, other.cells, strict=True))
        self._full = self.cells.count(self._cap)
        self._restart_if_full()

    def _restart_if_full(self) -> None:
        if self.cells is None or self._full <= _MOST_FULL:
            return
        self.cells = self.cells.replace(bytes([self._cap]), b"\0")
        self._full = 0
        self.restarts += 1

    def to_json(self) -> dict[str, Any]:
        """Write the cells as a JSON object, compressed."""
        return {
            "cap": self._cap,
            "cells": _packed(self.cells),
            "distinct": self.distinct.to_json(),
            "restarts": self.restarts,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        cells = cls(value["cap"])
        cells.cells = _unpacked(value["cells"])
        cells._full = (cells.cells or b"").count(cells._cap)
        cells.distinct = DistinctUnits.from_json(value["distinct"])
        cells.restarts = value["restarts"]
        return cells


def _packed(data: bytearray | None) -> str | None:
    return None if data is None else base64.b64encode(zlib.compress(data, 1)).decode()


def _unpacked(text: str | None) -> bytearray | None:
    return None if text is None else bytearray(zlib.decompress(base64.b64decode(text)))
