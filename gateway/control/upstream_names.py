"""Upstream names: whether they stand for one exact model, and the model version that a bare one registers."""

import re

_PARTS = re.compile(r"[-.:/_@]")
_DATE_AT_END = re.compile(r"(?P<model>.+)[-:_@](?P<date>(?:19|20)\d{2}-\d{2}-\d{2}|(?:19|20)\d{6})")
_AT_VERSION = re.compile(r"(?P<model>.+)@(?P<version>[^@/]+)")


def is_latest(name: str) -> bool:
    """Say whether a name has a part `latest`, which means whatever the provider likes."""
    return "latest" in _PARTS.split(name.lower())


def is_exact(name: str) -> bool:
    """Say whether a name carries a date, a build or a version, so that it should mean one model for ever.

    A part of four digits or more is taken for a date (2024-08-06, 20241022, 0613), a last part of three for a
    build (001), and what follows an `@` for a version.
    """
    if "@" in name:
        return True
    parts = _PARTS.split(name)
    return any(part.isdigit() and len(part) >= 4 for part in parts) or (parts[-1].isdigit() and len(parts[-1]) == 3)


def model_and_version(name: str) -> tuple[str, str]:
    """Name the model version that an upstream name registers: its date split off, or the whole name twice.

    `gpt-4o-2024-08-06` is `gpt-4o@2024-08-06`; `gpt-4o` is `gpt-4o@gpt-4o`.
    """
    dated = _DATE_AT_END.fullmatch(name)
    if dated is not None:
        return dated["model"], dated["date"]
    versioned = _AT_VERSION.fullmatch(name)
    return (name, name) if versioned is None else (versioned["model"], versioned["version"])
