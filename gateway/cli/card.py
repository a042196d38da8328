"""`pinion card`: check model cards, fill them in with measured figures, and export them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gateway.adapters.policy_folder import located, read_file, read_folder
from gateway.cli.gateway_client import GatewayClient, Misused, Refused, gateway_option
from gateway.cli.terminal import counted, line, show, show_json, table
from gateway.control.card_export import cyclonedx
from gateway.control.card_render import figures_in, rendered
from gateway.control.policies import Policies, load
from gateway.control.policy_cards import gaps_of, is_card, read_card
from gateway.core.card import Card, Measurement, cannot_be_shown, completeness
from gateway.core.errors import PolicyFault, Problem

policies_option = click.option(
    "--policies",
    default="policies",
    envvar="PINION_POLICIES",
    show_default=True,
    show_envvar=True,
    type=click.Path(exists=True, file_okay=False),
    help="The policy folder.",
)
out_option = click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="A file in place of standard output."
)


def _serial(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """Read a serial number of a CycloneDX document."""
    if text is not None and not re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        raise click.BadParameter("write one like urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79", ctx, param)
    return text


def _time(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """Read a time, which must say its zone."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise click.BadParameter("write one like 2026-11-25T08:00:00Z", ctx, param)
    return text


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


@card.command()
@click.argument("subject")
@policies_option
@click.option("--window", metavar="DURATION", help="How far back figures go; the gateway's 28d when left out.")
@out_option
@gateway_option
def render(subject: str, policies: str, window: str | None, out: Path | None, gateway: GatewayClient) -> None:
    """Fill the card of SUBJECT in with what the gateway has measured, and write it.

    SUBJECT is a release ROUTE/VERSION, or a model version NAME@VERSION: then the figures are those of every release of
    the folder that uses it. A card without owner, intended use and limitations is refused.
    """
    held = _policies(policies)
    found = _showable(_card_in(held, subject))
    told = [gateway.figures(route, version, window) for route, version in _releases_of(held, subject)]
    if not told:
        raise Refused(f"no release uses {subject}, so nothing of it is measured; declare one that does")
    since, until = min(each["since"] for each in told), max(each["until"] for each in told)
    figures = tuple(figure for each in told for figure in figures_in(each))
    _write(rendered(found, Measurement(_instant(since), _instant(until), figures)), out)


@card.command()
@click.argument("subject", metavar="SUBJECT|FILE")
@policies_option
@click.option("--format", "form", type=click.Choice(["cyclonedx"]), default="cyclonedx", show_default=True)
@click.option(
    "--serial-number",
    "serial",
    metavar="URN",
    callback=_serial,
    help="The document's urn:uuid:...; none when left out.",
)
@click.option("--timestamp", metavar="TIME", callback=_time, help="When it was made, as ISO 8601; none when left out.")
@out_option
def export(subject: str, policies: str, form: str, serial: str | None, timestamp: str | None, out: Path | None) -> None:
    """Write a card as CycloneDX 1.6 JSON, with its modelCard.

    SUBJECT is looked up in the policy folder; a FILE, such as `card render` writes, stands for itself. Equal cards give
    equal documents.
    """
    del form
    if is_card(subject):
        found, content = _card_at(Path(subject)), None
    else:
        held = _policies(policies)
        found = _card_in(held, subject)
        content = _content_of(held, subject)
    document = cyclonedx(_showable(found), content, serial, timestamp)
    _write(json.dumps(document, ensure_ascii=False, indent=2) + "\n", out)


def _policies(folder: str) -> Policies:
    try:
        return load(read_folder(Path(folder)))
    except PolicyFault as fault:
        raise Misused(f"{folder} is not acceptable; see pinion check {folder}") from fault


def _card_in(policies: Policies, subject: str) -> Card:
    found = policies.cards.get(subject)
    if found is None:
        raise Refused(f"no card of {subject!r}; there is one of {', '.join(policies.cards) or 'nothing'}")
    return found.card


def _card_at(path: Path) -> Card:
    try:
        _, found, problems = read_card(str(path), read_file(path))
    except PolicyFault as fault:
        found, problems = None, list(fault.problems)
    if found is None:
        raise Refused(f"{problems[0]}" + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""))
    return found


def _showable(found: Card) -> Card:
    """Give a card that says what it must to be shown.

    Raises:
        Refused: it does not; the message says what is missing.
    """
    missing = cannot_be_shown(found)
    if missing:
        said = "; ".join(f"no {each.name}: {each.remedy}" for each in missing)
        raise Refused(f"the card of {found.subject} cannot be shown: {said}")
    return found


def _releases_of(policies: Policies, subject: str) -> list[tuple[str, str]]:
    """Name the releases that a card speaks of: the one, or all that use the model version."""
    route_name, slash, version = subject.partition("/")
    if slash:
        return [(route_name, version)]
    return [
        (route.name, release.version)
        for route in policies.routes.values()
        for release in route.releases.values()
        if release.model == subject
    ]


def _content_of(policies: Policies, subject: str) -> str:
    """Give the digest of the version that a card of the folder is of."""
    route, slash, version = subject.partition("/")
    return policies.routes[route].releases[version].digest if slash else policies.models[subject].digest


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(out), error.strerror) from error
    show(line(f"written: {out}"))


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
