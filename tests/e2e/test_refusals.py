"""Every row of the table of refusals: the code that comes, and what has not changed afterwards."""

import collections
import os

import pytest
import refusals
from refusals import ROWS

GROUPS = ("sign-in", "rental", "policy", "credential", "evidence", "data", "container", "result")
# All that a consumer may learn of his job while it has no result.
STATUS = {"job", "state", "submitted_at", "outcome"}
PROBLEM = {"type", "title", "status", "code", "detail", "expected", "found", "next"}


class Before:
    """What is compared after a refusal, as it was before."""

    def __init__(self, stage):
        self.journal = stage.journal_size()
        counted = stage.metrics()
        self.snapshots = counted["cced_snapshots"]
        self.jobs = sum(n for name, n in counted.items() if name.startswith("cced_jobs"))
        self.policy = stage.policy_in_force()


def assert_no_result(stage, job):
    assert stage.consumer.cce_json("job", "status", job)["state"] != "released"
    refusals.assert_refused_fetch(stage, job)


CHECKS = {
    refusals.JOURNAL: lambda stage, before, now, job: now.journal == before.journal,
    refusals.REFUSALS: lambda stage, before, now, job: now.journal == before.journal + 1,
    refusals.SNAPSHOTS: lambda stage, before, now, job: now.snapshots == before.snapshots,
    refusals.POLICY: lambda stage, before, now, job: now.policy == before.policy,
    refusals.JOBS: lambda stage, before, now, job: now.jobs == before.jobs,
    refusals.NO_KEYS: lambda stage, before, now, job: "measurement" not in stage.explain(job),
    refusals.NO_RESULT: lambda stage, before, now, job: assert_no_result(stage, job) is None,
}


def test_the_table_has_two_rows_in_every_group():
    counted = collections.Counter(r.group for r in ROWS)
    assert {group: counted[group] for group in GROUPS if counted[group] < 2} == {}
    assert set(counted) == set(GROUPS)
    assert len({(r.group, r.name) for r in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[f"{r.group}: {r.name}" for r in ROWS])
def test_refusal(stage, row):
    taken = {}

    def mark():
        stage.wait_until_quiet(stage.pending)
        taken["before"] = Before(stage)

    def note():
        taken["after"] = Before(stage)

    stage.pending = 0
    stage.mark, stage.note = mark, note
    mark()
    seen = row.provoke(stage)
    assert seen.code == row.code
    if "after" not in taken:
        note()
    for name in row.unchanged:
        assert CHECKS[name](stage, taken["before"], taken["after"], seen.job), f"not so: {name}"
    check_what_is_told(stage, row, seen)
    stage.clean_up(seen.job)


def check_what_is_told(stage, row, seen):
    if row.outcome:
        status = stage.consumer.cce_json("job", "status", seen.job)
        assert set(status) <= STATUS
        assert status["state"] == ("rejected" if row.outcome == "held" else "failed")
        if row.outcome != "held":
            assert status["outcome"] == row.outcome
    if seen.told:
        assert set(seen.told) <= PROBLEM
    if row.group in ("credential", "evidence") and seen.told:
        # The machine, or who plays it, is told a code and the table's sentence: no reason.
        assert not {"expected", "found"} & {k for k, v in seen.told.items() if v}


def test_the_world_is_as_it_was(stage):
    """After all refusals an honest job still runs, and its result verifies."""
    job = stage.job()
    assert stage.ended(job)["state"] == "released"
    fetched = stage.fetch(job)
    stage.verify(fetched["result"], fetched["manifest"])
    assert os.path.exists(os.path.join(fetched["folder"], "arms.csv"))
