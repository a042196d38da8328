"""Why a release was taken out, as a sentence."""

import pytest

from gateway.control.reasons import reason_of

COUNTS = {"window_seconds": 30.0, "requests": 63, "failed": 12, "slow": 60, "failures_in_a_row": 3, "cusum": 6.908}


@pytest.mark.parametrize(
    ("rule", "more", "said"),
    [
        ("consecutive", {"limit": 3}, "consecutive: 3 requests failed in a row, and the limit is 3"),
        ("failure_rate", {"limit": 0.5}, "failure_rate: 12 of 63 requests failed within 30 s, and the limit is 50%"),
        ("slow_rate", {"limit": 0.8}, "slow_rate: 60 of 63 requests were slow within 30 s, and the limit is 80%"),
        (
            "cusum",
            {"limit": 6.908, "baseline": 0.02},
            "cusum: 12 of 63 requests failed within 30 s, well over the 2.0% allowed",
        ),
    ],
)
def test_each_rule_of_the_breaker_is_a_sentence(rule, more, said):
    """What was counted, over which time, against which limit."""
    assert said == reason_of(rule, {**COUNTS, **more})


def test_a_mismatch_names_both_models():
    """What was pinned and what came instead."""
    evidence = {"pinned": "atlas-1", "served": "atlas-2", "fingerprint": None}
    assert "mismatch: the provider served 'atlas-2' in place of 'atlas-1'" == reason_of("mismatch", evidence)


def test_a_guardrail_says_what_was_found():
    """In the words of the finding, whatever signs those hold."""
    said = "error_rate: 9.5 points above stable {5 allowed}"
    assert f"guardrail: {said}" == reason_of("guardrail", {"said": said, "findings": []})


def test_other_evidence_is_listed():
    """A rule without a sentence, or evidence that does not fill it, is told as it is."""
    assert "probe: failed 3" == reason_of("probe", {"failed": 3})
    assert "consecutive: failed 3" == reason_of("consecutive", {"failed": 3})
