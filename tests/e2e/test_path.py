"""The honest path, its interruptions, and what each of its people does not get."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from deploy.world.scenario import flip_byte
from deploy.world.world import write
from stage import code_in


@pytest.fixture(scope="module")
def fetched(stage):
    """A released job's result, as the consumer fetched it."""
    job = stage.job()
    assert stage.ended(job)["state"] == "released"
    return stage.fetch(job) | {"job": job}


def refused_verification(stage, files, *options):
    """What `cce verify` says, which must not accept."""
    done = subprocess.run(stage.consumer.arguments("verify", files["result"], "--manifest", files["manifest"], *options),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stdout + done.stderr


def test_a_result_is_what_the_container_wrote(fetched):
    with open(os.path.join(fetched["folder"], "arms.csv"), encoding="utf-8") as table:
        rows = table.read().splitlines()
    assert rows[0] == "arm,patients"
    assert {row.split(",")[0] for row in rows[1:]} == {"0", "1", "2", "3"}


def test_verify_says_what_was_run_on_what(stage, fetched):
    says = stage.verify(fetched["result"], fetched["manifest"])
    for fact in (stage.images["tiny"][1].removeprefix("sha256:"), stage.snapshot, "by the output gate alone", "simulated"):
        assert fact in says


def test_verify_names_development_parts_and_refuses_them(stage, fetched):
    settings = write(stage.world.path("people", "verifier", "config.toml"), "allow_development = false\n")
    done = subprocess.run([stage.world.program("cce"), "--config-dir", os.path.dirname(settings), "verify",
                           fetched["result"], "--manifest", fetched["manifest"], "--trust",
                           stage.consumer.path("trust.toml")], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "manifest.development" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["result", "manifest"])
@pytest.mark.parametrize("place", [0, 0.25, 0.5, 0.75, 1])
def test_one_changed_byte_is_refused(stage, fetched, name, place):
    copy = shutil.copy(fetched[name], stage.world.path("changed-" + name))
    flip_byte(copy, min(int(os.path.getsize(copy) * place), os.path.getsize(copy) - 1))
    files = {**fetched, name: copy}
    assert "manifest." in refused_verification(stage, files, "--allow-development")


def test_another_engines_trust_is_refused(stage, fetched):
    with open(stage.consumer.path("trust.toml"), encoding="utf-8") as trust:
        text = trust.read()
    identity = next(line for line in text.splitlines() if line.startswith("identity = "))
    other = write(stage.world.path("other-trust.toml"), text.replace(identity, f'identity = "{"ab" * 32}"'))
    assert "manifest.unknown_cced" in refused_verification(stage, fetched, "--allow-development", "--trust", other)
    assert code_in(stage.consumer.refused("--trust", other, "job", "status", fetched["job"])) == "trust.changed"
    nobody = write(stage.world.path("no-trust.toml"), "")
    assert code_in(stage.consumer.refused("--trust", nobody, "job", "status", fetched["job"])) == "trust.unknown"


def test_a_development_engine_is_refused_without_saying_so(stage):
    with open(stage.consumer.path("config.toml"), encoding="utf-8") as settings:
        text = settings.read()
    try:
        write(stage.consumer.path("config.toml"), text.replace("allow_development = true\n", ""))
        assert code_in(stage.consumer.refused("job", "submit", stage.job_file("tiny"))) == "trust.development"
    finally:
        write(stage.consumer.path("config.toml"), text)


def test_job_check_tells_what_would_refuse(stage):
    good = stage.consumer.cce_json("job", "check", stage.job_file("tiny"))
    assert good["passed"]
    arguments = stage.stranger.arguments("--json", "job", "check", stage.job_file("tiny"))
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "rental.none" in {check.get("code") for check in json.loads(done.stdout)["checks"]}


def test_a_consumer_never_gets_the_reason(stage):
    with stage.flipped("pack"):
        job = stage.job()
        status = stage.ended(job)
    assert status == {"job": job, "state": "failed", "outcome": "data_unusable", "submitted_at": status["submitted_at"]}
    for person in (stage.consumer, stage.stranger):
        assert code_in(person.refused("job", "explain", stage.dataset, job)) == "signin.not_owner"
    explained = stage.explain(job)
    assert explained["refusals"][-1]["code"] == "dataset.corrupt"
    # What runs in the machine is told a code; the reason was not there to be logged.
    with open(stage.world.processes.log_path(job), encoding="utf-8") as log:
        assert stage.world.path("store") not in log.read()


def test_an_approved_result_is_delivered(stage):
    job = stage.job("head -n 5 /data/*/trial.csv > /output/rows.csv")
    stage.wait_for_review(job)
    assert stage.consumer.cce_json("job", "status", job)["state"] == "reviewing"
    stage.owner.cce("review", "approve", stage.dataset, job, "--reason", "five rows, agreed upon")
    assert stage.ended(job)["state"] == "released"
    files = stage.fetch(job)
    assert "by people" in stage.verify(files["result"], files["manifest"])


def test_a_cancelled_job_ends(stage):
    job = stage.job("sleep 50")
    stage.follow(job, until=("running",))
    assert stage.consumer.cce_json("job", "cancel", job)["state"] == "cancelled"
    stage.wait_until_quiet()
    stage.consumer.refused("job", "fetch", job, "--out", stage.world.path("cancelled"))


# -- interruptions

def kill_cced(stage):
    stage.world.processes.stop("cced", signal.SIGKILL)


def test_an_acknowledged_job_survives_a_kill(stage):
    with stage.frozen("cvm-launcher"):
        job = stage.job()
        kill_cced(stage)
        stage.world.start_cced()
        assert stage.consumer.cce_json("job", "status", job)["state"] == "queued"
    assert stage.ended(job)["state"] == "released"


def test_a_result_that_waits_for_a_person_survives_a_kill(stage):
    job = stage.job("cp /data/*/trial.csv /output/")
    stage.wait_for_review(job)
    kill_cced(stage)
    stage.world.start_cced()
    assert stage.explain(job)["waits_for_decision"]
    stage.owner.cce("review", "reject", stage.dataset, job, "--reason", "rows")
    assert stage.ended(job)["state"] == "rejected"


def test_an_interrupted_upload_resumes(stage):
    """cced is killed while parts come in: those that were acknowledged are not sent again."""
    folder = stage.world.path("cohort")
    for number in range(12):
        write(os.path.join(folder, f"person-{number}.bin"), "")
        with open(os.path.join(folder, f"person-{number}.bin"), "wb") as out:
            out.write(os.urandom(1 << 20) * 16)
    dataset = stage.owner.cce_json("dataset", "create", "--price-wei", "1000")["dataset"]
    policy = stage.policy_toml().replace(stage.dataset, dataset)
    stage.owner.cce("dataset", "policy", "set", dataset, write(stage.world.path("cohort-policy.toml"), policy))
    stage.wait_until_quiet()
    before = stage.journal_size()
    upload = subprocess.Popen(stage.owner.arguments("--json", "dataset", "upload", dataset, folder, "--threads", "1"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 30
    while stage.journal_size() < before + 5 and upload.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    kill_cced(stage)
    upload.communicate(timeout=60)
    assert upload.returncode != 0, "the upload was over before cced was killed"
    stage.world.start_cced()
    again = stage.owner.cce_json("dataset", "upload", dataset, folder)
    assert 0 < again["parts_already_there"] < again["parts"]
    receipt = stage.world.path("cohort-receipt.json")
    stage.owner.cce("dataset", "finalize", dataset, folder, "--receipt", receipt)
    stage.owner.cce("dataset", "check-receipt", receipt, folder)
    flip_byte(os.path.join(folder, "person-3.bin"), 1000)
    stage.owner.refused("dataset", "check-receipt", receipt, folder)


def test_no_plaintext_lies_on_the_disk(stage):
    """Neither store nor state holds a row of the table."""
    with open(os.path.join(stage.data, "trial.csv"), "rb") as table:
        rows = table.read().splitlines()[1:20]
    for folder in ("store", "state"):
        for place, _, names in os.walk(stage.world.path(folder)):
            for name in names:
                with open(os.path.join(place, name), "rb") as file:
                    content = file.read()
                assert not any(row in content for row in rows), os.path.join(place, name)
