"""What happens when something dies while a job runs: a named end or none, and never a wrong result."""

import os
import signal

from processes_of import of_machines


def test_a_crash_of_decrypt_fs_is_a_named_end(stage):
    """kill -9 while the container reads: it is stopped at once, and nothing of it leaves."""
    job = stage.job("while true; do cat /data/*/trial.csv > /output/copy.csv; done; exit 0", seconds=300)
    stage.follow(job, until=("running",))
    (pid,) = of_machines(stage, "decrypt-fs")
    of_machines(stage, "sh")  # the container runs
    os.kill(pid, signal.SIGKILL)
    status = stage.ended(job)
    assert (status["state"], status["outcome"]) == ("failed", "data_unusable")
    refusal = stage.explain(job)["refusals"][-1]
    assert refusal["code"] == "mount.crashed"
    assert status == {"job": job, "state": "failed", "outcome": "data_unusable", "submitted_at": status["submitted_at"]}
    stage.consumer.refused("job", "fetch", job, "--out", stage.world.path("crashed"))
