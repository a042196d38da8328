"""Sizes as policies write them: bytes as a plain integer, or one integer with B, KiB, MiB or GiB."""

import re

_BYTES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_FORM = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB)?")


def parse_size(text: int | str) -> int:
    """Read a size and give its bytes.

    Raises:
        ValueError: it is not one integer, 0 or more, with or without a unit.
    """
    match = _FORM.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a size; write bytes, or one integer and one of B, KiB, MiB, GiB")
    return int(match[1]) * _BYTES[match[2] or ""]
