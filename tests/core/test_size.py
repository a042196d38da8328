"""Sizes: bytes, or one integer and one binary unit."""

import pytest

from gateway.core.size import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [(0, 0), (4096, 4096), ("512", 512), ("7B", 7), ("64KiB", 65_536), ("1MiB", 1 << 20), ("2GiB", 2 << 30)],
)
def test_sizes_are_bytes(text: int | str, size: int):
    """Plain integers are bytes, and units are powers of 1,024."""
    assert size == parse_size(text)


@pytest.mark.parametrize("text", ["", "MiB", "1 MiB", "1.5MiB", "1MB", "1mib", "-1", -2, True, "9" * 40])
def test_anything_else_is_refused(text: int | str):
    """Other units, fractions and signs are an error that says what to write."""
    with pytest.raises(ValueError, match="write bytes, or one integer and one of B, KiB, MiB, GiB"):
        parse_size(text)
