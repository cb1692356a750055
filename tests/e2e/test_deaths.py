"""kill -9 of everything that stands between a client and its data, in the middle of uploads and of reads: uploads go on
and lose nothing, readers wait or are stopped by name, and never is a result wrong."""

import glob
import os
import random
import signal
import subprocess

import pytest
from deploy.world.processes import free_port
from deploy.world.world import write
from processes_of import of_machines
from stage import FINAL, code_in, wait_until
from uploads import LISTING, MIB, check, fill, kill_and_restart, listing_digest, new_dataset, upload
from wire_proxy import Proxy

WORLD_SETTINGS = {"distributed_store": True}


def numbers_of(test):
    """Random numbers of a test; CCE_SEED, which is printed with a failure, repeats them."""
    seed = os.environ.get("CCE_SEED") or str(random.SystemRandom().randrange(1 << 32))
    print(f"CCE_SEED={seed}")
    return random.Random(test + seed)


def kill(stage, victim):
    """kill -9, and the next start."""
    store = stage.world.store
    if victim == "mount":
        for pid in store.clients():
            os.kill(pid, signal.SIGKILL)
    elif victim == "cced":
        kill_and_restart(stage)
    else:
        store.kill(victim)
        getattr(store, "start_" + victim)()


def test_a_crash_of_decrypt_fs_is_a_named_end(stage):
    """The container is stopped at once, and nothing of it leaves."""
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


@pytest.fixture(scope="module")
def uploaded(behind):
    """The folder of the world's dataset from now on. Each of its snapshots was hit by a kill."""
    numbers = numbers_of("upload")
    folder = behind.world.path("deaths")
    fill(folder, {f"d{i % 4}/{i}.bin": numbers.randint(0, 2 * MIB) for i in range(16)})
    dataset = new_dataset(behind, "deaths")
    victims = ["mount", "redis", "s3", "cced", "client"]
    numbers.shuffle(victims)
    for number, victim in enumerate(victims):
        fill(folder, {f"large/{i}.bin": 16 * MIB for i in range(3)}, seed=number)
        upload_through_a_kill(behind, dataset, folder, victim, numbers.randint(100_000, 40 * MIB))
    before, behind.dataset = behind.dataset, dataset
    behind.rent()
    behind.wait_for_index()
    yield folder
    behind.dataset = before


def upload_through_a_kill(stage, dataset, folder, victim, place):
    """The client goes on by itself when what died is back; where it does not, its repeat resumes."""
    client = subprocess.Popen(stage.owner.arguments("--json", "dataset", "upload", dataset, folder, "--threads", "2"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    hit = []
    death = client.kill if victim == "client" else lambda: kill(stage, victim)
    stage.proxy.after(place, lambda: hit.append(death()))
    _, said = client.communicate(timeout=120)
    assert hit, f"the kill of {victim} came too late: {said.decode()}"
    assert "internal." not in said.decode(), said.decode()
    wait_until(stage.world.store.clients, "the store's client")
    if client.returncode != 0:
        print(f"{victim} at byte {place}: {code_in(said.decode())}")
        upload(stage, dataset, folder)
    check(stage, dataset, folder)


@pytest.fixture(scope="module")
def reads(behind):
    """The host counts what machines ask of the object store, and may cut it off."""
    world = behind.world
    port = free_port()
    path = world.path("launcher.toml")
    with open(path, encoding="utf-8") as config:
        text = config.read()
    line = f'objects = "127.0.0.1:{world.store.s3_port}"'
    assert line in text
    with Proxy(port, world.store.s3_port) as proxy:
        world.processes.stop("cvm-launcher")
        write(path, text.replace(line, f'objects = "127.0.0.1:{port}"'))
        world.start_launcher()
        yield proxy


@pytest.fixture(scope="module", params=["demand", "prefetch"])
def mode(behind, uploaded, request):
    behind.set_policy(access_mode=f'"{request.param}"')
    return request.param


@pytest.mark.parametrize("victim", ["redis", "s3", "mount", "cced"])
def test_a_job_reads_on_whatever_dies(behind, uploaded, reads, victim, mode):
    """A job reads the upload's every byte, path, mode and time through its mount while something is killed."""
    hit = []
    requests = numbers_of(victim + mode).randint(100, 8_000)  # bytes: a request is about half a kilobyte
    reads.after(requests, lambda: hit.append(kill(behind, victim)))
    job = behind.job(LISTING, memory=1024)
    wait_until(lambda: hit, f"the kill at byte {requests} of requests")
    assert behind.ended(job)["state"] == "released", behind.explain_text(job)
    with open(os.path.join(behind.fetch(job)["folder"], "digest.txt"), encoding="utf-8") as out:
        assert out.read().strip() == listing_digest(uploaded)


GOES_ON = "cat $(busybox find /data -type f) > /dev/null; echo done > /output/done; exit 0"


def ended_by_a_read(stage, job, codes):
    """The job ends by what a read met, though its container goes on."""
    status = stage.follow(job, until=FINAL, seconds=200)
    assert (status["state"], status["outcome"]) == ("failed", "data_unusable"), stage.explain_text(job)
    assert stage.explain(job)["refusals"][-1]["code"] in codes, stage.explain_text(job)
    stage.consumer.refused("job", "fetch", job, "--out", stage.world.path("unread"))


def blocks_of(stage):
    """The full blocks of JuiceFS on the S3 server: of large files' objects, not of an index."""
    return [path for path in glob.glob(stage.world.path("s3", "**"), recursive=True)
            if os.path.isfile(path) and os.path.getsize(path) == 4 * MIB]


def flip_a_byte(path):
    with open(path, "r+b") as block:
        block.seek(2 * MIB)
        byte = block.read(1)
        block.seek(2 * MIB)
        block.write(bytes([byte[0] ^ 1]))


def test_damage_met_by_a_read_ends_the_job(behind, uploaded):
    """A host that damages what it does not like does not choose what a result is of."""
    behind.set_policy(access_mode='"demand"')
    blocks = blocks_of(behind)
    assert blocks
    for path in blocks:
        flip_a_byte(path)
    try:
        # JuiceFS compares a checksum of whole blocks, and gives up after some tries.
        ended_by_a_read(behind, behind.job(GOES_ON, memory=1024, seconds=180), ("dataset.corrupt", "store.failed"))
    finally:
        for path in blocks:
            flip_a_byte(path)


def test_a_store_that_stays_away_ends_the_job(behind, uploaded, reads):
    behind.set_policy(access_mode='"demand"')
    hit = []
    reads.after(6_000, lambda: hit.append(behind.world.store.kill("s3")))
    job = behind.job(GOES_ON, memory=1024, seconds=180)
    try:
        wait_until(lambda: hit, "the kill amid the reads")
        ended_by_a_read(behind, job, ("store.failed",))
    finally:
        behind.world.store.start_s3()
