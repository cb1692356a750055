"""Jobs over the distributed store: JuiceFS on Redis and S3, written by cced, read in the machine by a job's own key."""

import glob
import hashlib
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

import pytest
from deploy.world.store import WRITER, curl
from deploy.world.world import write
from processes_of import of_machines
from stage import FINAL, HONEST, code_in, wait_until

WORLD_SETTINGS = {"distributed_store": True}
# Long enough for the host to try what it can with the job's key.
PAUSE = "sleep 6; " + HONEST


def bucket(stage, dataset=None):
    return "cce-" + (dataset or stage.dataset).removeprefix("0x")


def volume(stage):
    return "ds-" + stage.dataset.removeprefix("0x")


def arms(files):
    with open(os.path.join(files["folder"], "arms.csv"), encoding="utf-8") as table:
        return sorted(table.read().splitlines())


def log_of(stage, program):
    """What cced, or the machine of a job, wrote."""
    with open(stage.world.processes.log_path(program), encoding="utf-8", errors="replace") as log:
        return log.read()


@pytest.fixture(scope="module")
def read_on_demand(own_stage):
    """A job that reads on demand, and the key that its machine had, as the host sees it."""
    stage = own_stage
    with stage.policy(access_mode='"demand"'):
        job = stage.job(PAUSE)
        stage.follow(job, until=("running",))
        wait_until(lambda: "agent.store_mounted" in log_of(stage, job), "the volume's mount")
        users = stage.world.store.users()
        key = next((name, secret) for name, secret in users.items() if job in name)
        while_running = probe_key(stage, key)
        assert stage.ended(job)["state"] == "released"
    return {"key": key, "while_running": while_running, "files": stage.fetch(job)}


def probe_key(stage, key):
    """What a host can do with a job's key."""
    url = f"{stage.world.store.endpoint}/{bucket(stage)}"
    chunks = [path for path in glob.glob(stage.world.path("s3", bucket(stage), volume(stage), "chunks", "**"),
                                         recursive=True) if os.path.isfile(path)]
    chunk = os.path.relpath(chunks[0], stage.world.path("s3", bucket(stage)))
    other = f"{stage.world.store.endpoint}/cce-other"
    if curl(WRITER, "HEAD", other)[0] == 404:
        curl(WRITER, "PUT", other)
        curl(WRITER, "PUT", other + "/ds-other/chunks/1", "another dataset's")
    return {
        "read": curl(key, "GET", f"{url}/{chunk}")[0],
        "write": curl(key, "PUT", f"{url}/{chunk}", "other bytes")[0],
        "delete": curl(key, "DELETE", f"{url}/{chunk}")[0],
        "list": curl(key, "GET", url + "?list-type=2")[0],
        "read another dataset": curl(key, "GET", other + "/ds-other/chunks/1")[0],
        "list another dataset": curl(key, "GET", other + "?list-type=2")[0],
        "change the policy": curl(key, "PUT", url + "?policy=", "{}")[0],
    }


def test_a_job_reads_on_demand(own_stage, read_on_demand):
    files = read_on_demand["files"]
    assert arms(files)[-1] == "arm,patients"
    assert len(arms(files)) == 5
    assert "demand" in own_stage.verify(files["result"], files["manifest"])


def test_a_job_prefetches_from_the_volume(own_stage, read_on_demand):
    job = own_stage.job()
    assert own_stage.ended(job)["state"] == "released"
    assert "agent.store_mounted" in log_of(own_stage, job)
    assert arms(own_stage.fetch(job)) == arms(read_on_demand["files"])


def test_a_jobs_key_reads_its_volume_and_nothing_else(read_on_demand):
    can = read_on_demand["while_running"]
    assert can.pop("read") == 200
    assert set(can.values()) == {403}, can


def test_a_jobs_key_ends_with_the_job(own_stage, read_on_demand):
    name, secret = read_on_demand["key"]
    wait_until(lambda: name not in own_stage.world.store.users(), "the end of the job's key")
    assert set(probe_key(own_stage, (name, secret)).values()) == {403}


def test_a_client_that_dies_in_the_machine_ends_the_job(own_stage, read_on_demand):
    stage = own_stage
    with stage.policy(access_mode='"demand"'):
        job = stage.job("sleep 4; cat /data/*/trial.csv > /output/rows.csv; exit 0")
        stage.follow(job, until=("running",))
        wait_until(lambda: "agent.store_mounted" in log_of(stage, job), "the volume's mount")
        for pid in of_machines(stage, "juicefs"):
            os.kill(pid, signal.SIGKILL)
        status = stage.ended(job)
    assert (status["state"], status["outcome"]) == ("failed", "data_unusable")
    assert stage.explain(job)["refusals"][-1]["code"] == "store.ended"


def test_no_secret_lies_in_a_volume(own_stage):
    """The volume's settings can be read by whoever reads the volume."""
    for folder in ("redis", "s3"):
        for path in glob.glob(own_stage.world.path(folder, "**"), recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    assert WRITER[1].encode() not in file.read(), path


def test_secrets_stand_in_no_argument(own_stage):
    clients = own_stage.world.store.clients()
    assert clients
    for pid in clients:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            assert WRITER[1].encode() not in file.read()


@pytest.mark.parametrize(("program", "tests"), [("store_test", "*DirectoryStore*"), ("tee_agent_test", "DataMounts*"),
                                                ("decrypt_fs_test", "*Shows*:*Flipped*:*Crash*")])
def test_the_stores_contract_holds_on_a_volume(own_stage, program, tests):
    """The unit tests of store and readers, on a volume over Redis and S3 as cced has mounted it."""
    stage = own_stage
    volume_folder = stage.world.path("store", "mounts", stage.dataset.removeprefix("0x"))
    folder = os.path.join(volume_folder, "unit-tests")
    assert os.path.ismount(volume_folder)
    os.mkdir(folder)
    done = subprocess.run([os.path.join(stage.world.build, "tests", program), "--gtest_filter=" + tests],
                          env=os.environ | {"TEST_TMPDIR": folder + "/"}, capture_output=True, text=True, check=False,
                          timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[  PASSED  ]" in done.stdout and "SKIPPED" not in done.stdout, done.stdout
    os.rmdir(folder)


def upload(stage, name, size):
    folder = stage.world.path(name)
    write(os.path.join(folder, "placeholder"), "x")
    with open(os.path.join(folder, "random.bin"), "wb") as out:
        out.write(os.urandom(size))
    return folder


@pytest.mark.parametrize("victim", ["client", "redis", "s3"])
def test_an_upload_survives_kills(own_stage, victim):
    """kill -9 in the middle of an upload: the repeat resumes it, and the snapshot is the folder."""
    stage = own_stage
    store = stage.world.store
    folder = upload(stage, "upload-" + victim, 48 << 20)
    receipt = stage.world.path(victim + ".json")
    arguments = stage.owner.arguments("dataset", "upload", stage.dataset, folder, "--finalize", "--receipt", receipt)
    before = stage.journal_size()
    first = subprocess.Popen([str(a) for a in arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: stage.journal_size() > before, "the upload's begin")
    if victim == "client":
        for pid in store.clients():
            os.kill(pid, signal.SIGKILL)
    else:
        store.kill(victim)
        wait_until(lambda: readiness(stage).startswith("store."), "the store's absence")  # the upload goes on meanwhile
        getattr(store, "start_" + victim)()
    first.wait(120)
    wait_until(store.clients, "the client's restart")
    if not os.path.exists(receipt):
        stage.owner.cce("dataset", "upload", stage.dataset, folder, "--finalize", "--receipt", receipt)
    stage.owner.cce("dataset", "check-receipt", receipt, folder)
    # Nothing that was acknowledged is lost: a job reads the latest snapshot whole.
    job = stage.job("cat /data/*/random.bin | sha256sum | cut -c1-64 > /output/digest.txt")
    stage.follow(job, until=FINAL)
    assert stage.ended(job)["state"] == "released"
    with open(os.path.join(stage.fetch(job)["folder"], "digest.txt"), encoding="utf-8") as digest, \
            open(os.path.join(folder, "random.bin"), "rb") as data:
        assert digest.read().strip() == hashlib.sha256(data.read()).hexdigest()


def test_an_output_waits_for_its_leak_index(own_stage):
    """An index that is being built when the output comes sends it to no person."""
    stage = own_stage
    with stage.policy(access_mode='"demand"'):
        events = begin_an_index(stage, "late-index")
        job = stage.job("ls /data > /output/names.txt")
        assert stage.ended(job)["state"] == "released"
    seen = events()
    assert seen.index("result.received") < seen.index("leak_index.built") < seen.index("gate.reported"), seen


def test_nobody_waits_for_a_leak_index_when_cced_is_stopped(own_stage):
    """The index is given up, and built at the next start."""
    stage = own_stage
    events = begin_an_index(stage, "given-up-index")
    stage.world.processes.stop("cced")
    assert events()[-1] == "daemon.stopping" and "leak_index.built" not in events()
    stage.world.start_cced()
    wait_until(lambda: "leak_index.built" in events(), "the index")


def begin_an_index(stage, name):
    """Uploads what takes seconds to index; returns what cced's log tells since."""
    began = len(log_of(stage, "cced"))
    stage.owner.cce("dataset", "upload", stage.dataset, upload(stage, name, 160 << 20), "--finalize")
    return lambda: [json.loads(line)["event"] for line in log_of(stage, "cced")[began:].splitlines() if line.startswith("{")]


def test_readiness_names_a_store_that_is_down(own_stage):
    stage = own_stage
    store = stage.world.store
    store.clients()
    store.kill("s3")
    try:
        wait_until(lambda: readiness(stage).startswith("store."), "the store's absence in /ready", 60)
    finally:
        store.start_s3()
    wait_until(lambda: readiness(stage) == "", "the store's return", 60)


@pytest.mark.parametrize("file", ["redis.password", "s3.key"])
def test_a_wrong_secret_is_named_and_holds_up_the_store_alone(own_stage, file):
    """cced starts, says what is refused, and goes on with the right secret."""
    stage = own_stage
    folder = upload(stage, "wrong-" + file, 1 << 20)
    path = stage.world.path(file)
    with open(path, encoding="utf-8") as secret:
        right = secret.read()
    stage.world.processes.stop("cced")
    write(path, "another-secret\n", 0o600)
    stage.world.start_cced()
    try:
        said = stage.owner.refused("dataset", "upload", stage.dataset, folder)
        assert code_in(said) == "store.refused", said
        assert right.strip() not in said
        wait_until(lambda: readiness(stage) == "store.refused", "the refusal in /ready")
    finally:
        stage.world.processes.stop("cced")
        write(path, right, 0o600)
        stage.world.start_cced()
    stage.owner.cce("dataset", "upload", stage.dataset, folder, "--finalize")
    wait_until(lambda: readiness(stage) == "", "the store's return")


def readiness(stage):
    """The code that /ready answers with; empty where it is ready."""
    url = f"http://127.0.0.1:{stage.world.ports['monitor']}/ready"
    try:
        with urllib.request.urlopen(url, timeout=20):
            return ""
    except urllib.error.HTTPError as error:
        return json.load(error).get("code", "?")
