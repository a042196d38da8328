"""`pinion card`: check model cards, fill them in with measured figures, and export them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gateway.adapters.policy_folder import located, read_file, read_folder
from gateway.cli.terminal import counted, line, show, show_json, table
from gateway.control.policies import load
from gateway.control.policy_cards import gaps_of, is_card, read_card
from gateway.core.card import completeness
from gateway.core.errors import PolicyFault, Problem


@click.group()
def card() -> None:
    """Check, fill in and export model cards."""


@card.command()
@click.argument(
    "paths", nargs=-1, required=True, metavar="FILE...|FOLDER", type=click.Path(exists=True, path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Check cards, each by itself or all of a policy folder, and print every gap as FILE:LINE: problem; remedy.

    What a card must say depends on its risk tier. Exits 0 when nothing is missing, and 1 when something is.
    """
    problems: list[Problem] = []
    cards: list[dict[str, Any]] = []
    for path in paths:
        folder, texts, wrong = _texts(path)
        found = [(*_checked(file, text), file) for file, text in texts.items()]
        own = [problem for each, _, _ in found for problem in each]
        problems += located(folder, sorted({*own, *wrong})) if folder else sorted({*own, *wrong})
        cards += [{"file": str(Path(folder, file)), **told} for _, told, file in found if told]
    if not cards and not problems:
        problems.append(Problem(str(paths[0]), 1, "there is no card here", "write one in a file that ends in .card.md"))
    if as_json:
        show_json({"ok": not problems, "cards": cards, "problems": [asdict(problem) for problem in problems]})
    else:
        _show(cards, problems)
    raise SystemExit(1 if problems else 0)


def _texts(path: Path) -> tuple[str, Mapping[str, str], Sequence[Problem]]:
    """Give the folder that a path names or nothing, its cards by name, and what is wrong among them as a set."""
    if not path.is_dir():
        try:
            return "", {str(path): read_file(path)}, ()
        except PolicyFault as fault:
            return "", {}, fault.problems
    try:
        files = read_folder(path)
    except PolicyFault as fault:
        return str(path), {}, fault.problems
    wrong: Sequence[Problem] = ()
    try:
        load(files)
    except PolicyFault as fault:
        wrong = [problem for problem in fault.problems if is_card(problem.file)]
    return str(path), {name: text for name, text in files.items() if is_card(name)}, wrong


def _checked(file: str, text: str) -> tuple[list[Problem], dict[str, Any]]:
    """Check one card; give what is wrong with it, and how complete it is where it can be read."""
    if not is_card(file):
        return [Problem(file, 1, "the file's name says no card", "let it end in .card.md")], {}
    declared, found, problems = read_card(file, text)
    if declared is None or found is None:
        return problems, {}
    share = completeness(found, found.risk_tier).share
    today = datetime.now(UTC).date()
    return gaps_of(declared, found, today), {
        "subject": found.subject,
        "risk_tier": found.risk_tier,
        "completeness": round(share, 4),
        "digest": found.digest,
    }


def _show(cards: Sequence[Mapping[str, Any]], problems: Sequence[Problem]) -> None:
    for problem in problems:
        click.echo(str(problem))
    if cards:
        rows = [
            (each["subject"], each["risk_tier"], f"{100 * each['completeness']:.0f}%", each["file"]) for each in cards
        ]
        show(table(("card of", "tier", "complete", "file"), rows))
    said = (counted(len(problems), "problem"), "red") if problems else ("nothing is missing", "green")
    show(line(f"{counted(len(cards), 'card')}, ", said))
