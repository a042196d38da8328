"""Pinion: an inference gateway that pins, splits, measures and rolls back model releases."""

__version__ = "0.1.0"
