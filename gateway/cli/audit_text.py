"""The audit trail in words: a table of entries, and the verdict of a check."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gateway.cli.terminal import counted, facts, indented, line, table
from gateway.core.audit_proof import EntryProof
from gateway.core.checkpoint import VerifierKey
from gateway.core.merkle import leaf_hash

OUTCOMES: Mapping[str, str] = {"denied": "red", "failed": "yellow"}

SHORT = 8
"""How many digits of a digest are enough to tell it by."""


def page_of(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Tell a page of entries, as a gateway answers it."""
    entries = told["entries"]
    if not entries:
        yield line("no entry fits" if told["size"] else "nothing is recorded yet")
        return
    yield table(("seq", "time (UTC)", "actor", "action", "target", "reason"), map(_row, entries), whole=4)
    if told["next"] is not None:
        yield line((f"there may be more: --after {told['next']}", "dim"))
    else:
        yield line((f"{len(entries)} of {counted(told['size'], 'entry').replace('entrys', 'entries')}", "dim"))


def told_verdict(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Tell the verdict of a check, as a gateway answers it."""
    if told["result"] == "whole":
        yield line(("the audit trail is whole", "bold green"))
    else:
        yield line(("the audit trail is not whole", "bold red"), f": {counted(told['count'], 'finding')}")
    signed = "" if told["key"] is None else f", signed by {told['key'].partition('+')[0]}"
    agreed = f"{told['checkpoints']} agree with the entries{signed}" if told["checkpoints"] else "none"
    yield indented(facts([("entries", told["entries"]), ("root", told["root"]), ("checkpoints", agreed)]))
    for finding in told["findings"]:
        yield line((finding["kind"], "bold red"), f" at entry {finding['seq']}: {finding['message']}")
        yield indented(line((finding["remedy"], "dim")))


def told_proof(proof: EntryProof, key: VerifierKey | None, why_not: str | None) -> Iterator[RenderableType]:
    """Tell a proof, and whether it proves its entry: `why_not` says what is wrong."""
    if why_not is None:
        yield line((f"entry {proof.seq} is in the audit trail", "bold green"))
    else:
        yield line((f"entry {proof.seq} is not proven", "bold red"), f": {why_not}")
    checkpoint = proof.checkpoint
    signed = "not checked; --key checks it" if key is None else f"by {key.name}"
    yield indented(
        facts(
            [
                ("entry", proof.raw.decode("utf-8", "replace")),
                ("hash", leaf_hash(proof.raw).hex()),
                ("hashes", " ".join(each.hex() for each in proof.hashes) or None),
                ("root", checkpoint.root),
                ("checkpoint", f"{checkpoint.size} entries of {checkpoint.origin}"),
                ("signed", signed),
            ]
        )
    )


def _row(entry: Mapping[str, Any]) -> tuple[Text | str | int | None, ...]:
    outcome, target = entry["outcome"], entry["target"]
    actor = line((f"forgotten {entry['actor_id'][:SHORT]}", "dim")) if entry["actor"] is None else entry["actor"]
    named = " ".join(str(part) for part in (target.get("id") or "-", target.get("version")) if part is not None)
    return (
        entry["seq"],
        entry["ts"].partition(".")[0].replace("T", " "),
        actor,
        entry["action"]
        if outcome == "allowed"
        else line(entry["action"], (f" {outcome}", OUTCOMES.get(outcome, "dim"))),
        named if target.get("kind") != "actor" else f"actor {named[:SHORT]}",
        entry["reason"],
    )
