"""Documents that tests register, and versions as the operations API tells them."""

SHA = "0" * 64

DATASET = """
kind: dataset
name: NAME
owner: data-team
versions: {"1": {sha256: "%s", rows: 3, origin: our own desk}, "2": {sha256: "%s", rows: 4, origin: our own desk}}
""" % (SHA, "1" * 64)  # noqa: UP031 - braces mean something in YAML

MODEL = """
kind: model
name: NAME
provider: openai
owner: ml-team
versions:
  "1": {upstream_model: nova-2026-01-01, use_cases: [USE]}
  "2": {upstream_model: nova-2026-02-01, use_cases: [USE]}
"""

PROMPT = "---\nkind: prompt\nname: NAME\nversion: VERSION\nowner: words-team\n---\nBe kind.\nVERSION is enough.\nEnd.\n"


def written(folder, kind, name):
    """Files that declare two versions of a name, 1 and 2; their paths."""
    if kind == "prompt":
        texts = {f"{name}-{version}.prompt": PROMPT.replace("VERSION", version) for version in "12"}
    else:
        texts = {f"{name}.yaml": MODEL if kind == "model" else DATASET}
    for file, text in texts.items():
        (folder / file).write_text(text.replace("NAME", name).replace("USE", f"{name} support"), encoding="utf-8")
    return [str(folder / file) for file in texts]


def told(**changes):
    """A version as the operations API tells it."""
    return {
        "kind": "model",
        "name": "atlas",
        "version": "1",
        "digest": "0123456789abcdef",
        "facts_digest": "f",
        "registered_at": 1_790_856_000.0,
        "author": None,
        "review": "candidate",
        "lifecycle": "active",
        "changed_at": 1_790_856_000.0,
        "reason": "",
        "deprecated_at": None,
        "retire_at": None,
        "successor": None,
        "revision": 1,
        "facts": {"owner": "ml-team", "use_cases": ["support", "sales"]},
        "completeness": 0.0952,
        "missing": ["licence", "validator"],
        "content": {"upstream_model": "atlas-2026-01-01", "served_model": None, "params": {}},
        **changes,
    }
