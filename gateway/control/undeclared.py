"""Datasets that model versions name and no file declares: they must be registered."""

from collections.abc import Collection, Iterable

from gateway.control.policy_schema import meant
from gateway.control.policy_text import one_line
from gateway.control.policy_values import UndeclaredDataset
from gateway.core.errors import Problem


def doubtful_datasets(undeclared: Iterable[UndeclaredDataset], declared: Collection[str]) -> list[Problem]:
    """Warn of them where what is registered is not known; `declared` are the names of those that files declare."""
    return [
        _problem(
            each,
            f"dataset {one_line(each.name)!r} is not declared here, so a gateway must have it registered",
            meant(each.name, declared) or "declare it, or see `pinion dataset list`",
        )
        for each in undeclared
    ]


def unknown_datasets(
    undeclared: Iterable[UndeclaredDataset], declared: Collection[str], registered: Collection[str]
) -> list[Problem]:
    """Find those that are not `registered` either, each with the nearest name."""
    return [
        _problem(
            each,
            f"there is no dataset {one_line(each.name)!r}",
            meant(each.name, {*declared, *registered})
            or "correct it, declare it, or `pinion dataset register` it first",
        )
        for each in undeclared
        if each.name not in registered
    ]


def _problem(each: UndeclaredDataset, said: str, remedy: str) -> Problem:
    return Problem(each.where.file, each.where.line, f"{each.place}: {said}", remedy)
