"""What a policy set registers, and what files register apart from one."""

import pytest

from gateway.control.policies import load
from gateway.control.registration import entries_of, entries_registered, registration_of
from gateway.core import standing as rules
from gateway.core.errors import PolicyFault
from gateway.core.standing import Standing
from tests.control.serving_world import PROVIDER, files, route

SHA = "0" * 64
DATASET = f"""
kind: dataset
name: mails
owner: data-team
versions: {{"1": {{sha256: "{SHA}", rows: 3, origin: our own desk}}}}
"""
MODEL = """
kind: model
name: atlas
provider: sim
owner: ml-team
versions:
  "1": {upstream_model: atlas-2026-01-01, data: {training: [mails@1]}, use_cases: [support]}
"""
PROMPT = "---\nkind: prompt\nname: greeting\nversion: 1.0.0\nowner: words-team\n---\nBe kind.\n"
ROUTE = """
kind: route
name: desk
owner: desk-team
releases: {"1.0.0": {model: atlas@1, prompt: greeting@1.0.0}}
serve: "1.0.0"
"""
WHOLE = {**files(DATASET, MODEL, ROUTE), "greeting.prompt": PROMPT}


def found(policy_files=WHOLE, known=None, now=10.0):
    """What a set registers."""
    return registration_of(load(policy_files), {each.key: each for each in known or ()}, now)


def frozen(policy_files=WHOLE):
    """Everything of a set, registered and in the way of requests."""
    return [rules.review(standing, "freeze", "it serves", 20.0) for _, standing in found(policy_files).entries]


def test_every_kind_is_registered_with_its_owner():
    """Datasets, models and prompts before the releases that are made of them; each a draft that a file has told."""
    entries = found().entries
    assert [
        ("dataset mails@1", "data-team"),
        ("model atlas@1", "ml-team"),
        ("prompt greeting@1.0.0", "words-team"),
        ("release desk/1.0.0", "desk-team"),
    ] == [(str(entry), entry.facts["owner"]) for entry, _ in entries]
    assert {("draft", None, 10.0, 1)} == {
        (each.review.value, each.author, each.registered_at, each.revision) for _, each in entries
    }
    facts = entries[1][0].facts
    assert ("sim", "atlas-2026-01-01", {"training": ["mails@1"]}) == (
        facts["provider"],
        facts["upstream_model"],
        facts["data"],
    )
    assert {"owner": "desk-team", "model": "atlas@1", "prompt": "greeting@1.0.0"} == entries[3][0].facts


def test_the_digests_are_those_that_serve():
    """A registered digest is the one that the release, its model and its prompt are served under."""
    policies = load(WHOLE)
    digests = {str(entry): entry.digest for entry, _ in entries_of(policies)}
    assert policies.models["atlas@1"].digest == digests["model atlas@1"]
    assert policies.prompts["greeting@1.0.0"].digest == digests["prompt greeting@1.0.0"]


def test_the_same_set_again_registers_nothing():
    """Neither drafts nor what serves."""
    assert ((), ()) == (found(known=frozen()).entries, found(known=frozen()).problems)
    assert () == found(known=[standing for _, standing in found().entries]).entries


def test_facts_beside_what_serves_are_told_anew():
    """A price, an owner or a use case is no other version."""
    changed = {**WHOLE, "all.yaml": WHOLE["all.yaml"].replace("[support]", "[support, sales]")}
    ((entry, standing),) = found(changed, frozen()).entries
    assert ("model atlas@1", 3, "candidate") == (str(entry), standing.revision, standing.review.value)


def test_what_serves_cannot_be_told_otherwise():
    """Each change is a problem of its own, where it was written, that names both digests."""
    changed = {
        "all.yaml": WHOLE["all.yaml"].replace("atlas-2026-01-01", "atlas-2026-02-02").replace("rows: 3", "rows: 4"),
        "greeting.prompt": PROMPT.replace("kind.", "brief."),
    }
    problems = found(changed, frozen()).problems
    said = [str(problem) for problem in problems]
    assert 4 == len(said)
    for problem, standing in zip(said, frozen(), strict=True):
        assert f"{standing} is registered with the digest {standing.digest[:12]}, and what is given has" in problem
        assert problem.endswith("versions are immutable: put it back, and publish a new version")
    assert "greeting.prompt" == problems[2].file
    assert all(problem.line > 1 for problem in problems if problem.file == "all.yaml")


def test_drafts_may_be_told_otherwise():
    """Nobody has met them yet."""
    known = [standing for _, standing in found().entries]
    changed = {**WHOLE, "all.yaml": WHOLE["all.yaml"].replace("rows: 3", "rows: 4")}
    ((entry, standing),) = found(changed, known).entries
    assert ("dataset mails@1", 2, "draft") == (str(entry), standing.revision, standing.review.value)


# Apart from a set


def registered(*documents, known=(), policies=None):
    """What files register beside the policies that serve."""
    own = load(files(route())) if policies is None else policies
    return entries_registered({f"{n}.yaml": text for n, text in enumerate(documents)}, own, set(known))


def refused(*documents, known=()):
    """What is wrong with files."""
    with pytest.raises(PolicyFault) as raised:
        registered(*documents, known=known)
    return [str(problem) for problem in raised.value.problems]


def test_documents_may_be_registered_apart_from_a_policy_set():
    """Models of the set's providers, datasets, and prompts, which may refer to each other."""
    entries = entries_registered(
        {"d.yaml": DATASET, "m.yaml": MODEL, "g.prompt": PROMPT}, load(files(route())), frozenset()
    )
    assert ["dataset mails@1", "model atlas@1", "prompt greeting@1.0.0"] == [str(entry) for entry in entries]
    assert {entry.key: entry.digest for entry in entries}.items() <= {
        entry.key: entry.digest for entry, _ in entries_of(load(WHOLE))
    }.items()


def test_what_is_registered_already_may_be_referred_to():
    """A dataset of the registry; of another kind it is not meant."""
    assert ["model atlas@1"] == [str(entry) for entry in registered(MODEL, known=[("dataset", "mails", "1")])]
    assert [
        "0.yaml:7: model atlas: versions.1.data.training.1: there is no dataset 'mails@1'; correct it, "
        "declare it, or `pinion dataset register` it first"
    ] == refused(MODEL, known=[("model", "mails", "1")])


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (MODEL.replace("mails@1", "mials@1"), "there is no dataset 'mials@1'; did you mean 'mails@1'?"),
        (MODEL.replace("provider: sim", "provider: sym"), "there is no provider 'sym'; did you mean 'sim'?"),
        (
            MODEL.replace("use_cases", "base_model: atlass@1, use_cases"),
            "there is no model 'atlass@1'; did you mean 'atlas@1'?",
        ),
        (
            MODEL.replace("[mails@1]}", "[mails@1], evaluation: [mails@1]}"),
            "mails@1 is used for training and for evaluation; evaluate on data that it has not seen",
        ),
        (
            MODEL.replace("use_cases", "evaluations: [{name: a, metric: b, value: 1, n: 1, dataset: x@1}], use_cases"),
            "there is no dataset 'x@1'",
        ),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest_name(document, said):
    """Datasets, providers and base models; and data that a model has seen measures nothing."""
    assert any(said in problem for problem in refused(document, DATASET)), refused(document, DATASET)


def test_a_public_base_model_is_known_by_its_organisation():
    """It need not be registered."""
    document = MODEL.replace("use_cases", "base_model: org/base, use_cases")
    assert "org/base" == registered(document, DATASET)[1].facts["base_model"]


def test_only_what_is_registered_so_may_be_given():
    """A route or a provider belongs in the policies, and no file at all registers nothing."""
    assert ["0.yaml:1: provider sim: kind is not registered so; write it in the policy files"] == refused(
        PROVIDER.lstrip()
    )
    assert [".:1: there is nothing to register; write a model, a prompt or a dataset"] == refused()


def test_a_prompt_that_cannot_be_is_refused():
    """Like one in a policy set."""
    with pytest.raises(PolicyFault, match="which is not declared"):
        entries_registered({"g.prompt": PROMPT.replace("kind.", "{{name}}.")}, load(files(route())), frozenset())


def test_a_standing_known_by_another_key_is_no_obstacle():
    """Keys are kind, name and version together."""
    stranger = Standing("prompt", "atlas", "1", "d", "f", 0.0)
    assert 4 == len(found(known=[stranger]).entries)
