"""What the store records, as rows."""

import json

from gateway.adapters.sql_schema import STORE
from gateway.adapters.store_rows import event_row, evidence_from, evidence_row, recorded_from, rows_of, served_row
from gateway.core.plan import Plan
from gateway.core.recorded import KeptEvidence, RolloutEvent
from tests.adapters.store_records import RECORDED, ROLLOUT


def test_a_record_comes_back_from_its_rows():
    """By way of JSON, everything is what it was: tuples, keys of two names, and what is not there."""
    rows = json.loads(json.dumps(rows_of(RECORDED)))
    assert RECORDED == recorded_from(RECORDED.epoch, rows)


def test_rows_have_the_columns_of_their_tables():
    """Each column of a table is written, but for what the table adds by itself, and what a version is."""
    added = {"served_versions": {"id", "at"}, "registered_versions": {"content", "facts"}, "fleet_size": {"id"}}
    for name, rows in rows_of(RECORDED).items():
        for row in rows:
            assert set(STORE.tables[name].c.keys()) - added.get(name, set()) == set(row)
    event = event_row(RolloutEvent(1.0, "hold", ROLLOUT))
    assert set(STORE.tables["rollout_events"].c.keys()) - {"sequence"} == set(event)
    assert {"kind", "name", "version", "digest"} == set(served_row(RECORDED.served[0]))


def test_kept_evidence_comes_back_from_its_row():
    """It has a table of its own, which no snapshot depends on."""
    kept = KeptEvidence("r1", 2, 60.5, 100.0, {"error_rate": {"failed": 1, "of": 20}})
    assert kept == evidence_from(json.loads(json.dumps(evidence_row(kept))))
    assert set(STORE.tables["kept_evidence"].c.keys()) == set(evidence_row(kept))


def test_a_rollouts_plan_is_written_whole():
    """It keeps the plan that it started with, whatever the policy says later."""
    (row,) = rows_of(RECORDED)["rollouts"]
    assert ROLLOUT.plan == Plan.from_json(row["plan"])
