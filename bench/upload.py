"""How fast an upload is, end to end: `cce dataset upload` through cced's HTTPS API into its store, client and server on
the same cores, beside `age` and `cp` onto the same disk (each followed by an fsync), and beside what TLS, SHA-256 and
AES-GCM alone cost. Then many small files into a JuiceFS volume, beside `cp -r` into the same volume.

The source lies in the page cache. Each round takes ours, age and cp in turn; a figure is the median of the rounds.
"""

import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time

from bench.reading.packages import install
from deploy.world.processes import Failed, peak_memory
from deploy.world.processes import run as run_program
from deploy.world.scenario import Scenario
from deploy.world.world import REPOSITORY, World, write

BIG = 4 << 30
SMALL_FILES, SMALL_SIZE = 100_000, 4096
COPIED_FILES = 5_000  # of the small ones, by cp -r: its rate does not depend on how many
MAX_ROUNDS = 3
GB = 1e9


def fill(path, size, seed=1):
    numbers = random.Random(seed)
    with open(path, "wb") as out:
        for at in range(0, size, 1 << 20):
            out.write(numbers.randbytes(min(1 << 20, size - at)))
    return path


def small_files(folder, count):
    numbers = random.Random(2)
    for at in range(count):
        place = os.path.join(folder, f"{at % 100:02}")
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, f"{at}.bin"), "wb") as out:
            out.write(numbers.randbytes(SMALL_SIZE))
    return folder


def timed(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def synced(arguments, target, **options):
    """Runs a program that writes `target`, then has it on the disk; seconds."""
    def action():
        subprocess.run(arguments, check=True, **options)
        with open(target, "rb") as out:
            os.fsync(out.fileno())
    seconds = timed(action)
    os.unlink(target)
    return seconds


def speed(*arguments):
    """GB/s of one core, as OpenSSL measures itself."""
    text = subprocess.run(["openssl", "speed", "-mr", "-seconds", "1", *arguments], check=True, capture_output=True,
                          text=True).stdout
    return float(text.strip().splitlines()[-1].rsplit(":", 1)[1]) / GB


def floor_cpu():
    """Seconds of one core for each GB that cced cannot do without: TLS, SHA-256 over content and ciphertext, AES-GCM."""
    tls = speed("-bytes", "16384", "-aead", "-evp", "aes-256-gcm")
    seal = speed("-bytes", "65536", "-aead", "-evp", "aes-256-gcm")
    digest = speed("-bytes", "65536", "-evp", "sha256")
    return 1 / tls + 2 / digest + 1 / seal


class Provider:
    """An owner with datasets in a running world."""

    def __init__(self, world):
        self.world = world
        self.scenario = Scenario(world, None)
        self.owner = world.person("owner")
        self.owner.trust()
        self.count = 0

    @property
    def cced(self):
        return self.world.processes.children["cced"].pid

    def dataset(self):
        self.scenario.dataset = self.owner.cce_json("dataset", "create", "--price-wei", "1000")["dataset"]
        self.scenario.set_policy()
        return self.scenario.dataset

    def upload(self, dataset, path, *options):
        """Seconds, the client's CPU seconds and peak memory, and cced's CPU seconds."""
        before = cpu_of(self.cced)
        began = time.monotonic()
        client = subprocess.Popen(self.owner.arguments("--json", "dataset", "upload", dataset, path, *options),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = client.stderr.read()
        _, status, usage = os.wait4(client.pid, 0)
        if status != 0:
            raise Failed(said.decode())
        return {"seconds": time.monotonic() - began, "client_cpu": usage.ru_utime + usage.ru_stime,
                "client_peak": usage.ru_maxrss * 1024, "cced_cpu": cpu_of(self.cced) - before}

    def remove(self, dataset):
        shutil.rmtree(self.world.path("store", dataset.removeprefix("0x")), ignore_errors=True)


def big_file(provider, folder, rounds):
    source = fill(os.path.join(folder, "big.bin"), BIG)
    key = subprocess.run(["age-keygen", "-o", os.path.join(folder, "age.key")], check=True, capture_output=True,
                         text=True).stderr
    recipient = key.rsplit(" ", 1)[1].strip()
    ours, age, copies = [], [], []
    for _ in range(rounds):
        dataset = provider.dataset()
        ours.append(provider.upload(dataset, source))
        provider.remove(dataset)
        out = os.path.join(folder, "out")
        age.append(synced(["age", "-r", recipient, "-o", out, source], out))
        copies.append(synced(["cp", source, out], out))
    os.unlink(source)

    def median(name):
        return statistics.median(round[name] for round in ours)

    def rate(seconds):
        return round(BIG / GB / statistics.median(seconds), 3)

    mine = rate([round["seconds"] for round in ours])
    return [
        {"name": "4 GiB through the API", "unit": "GB/s", "ours": mine, "peer": rate(age), "peer_name": "age + fsync",
         "target": "ratio >= 0.5"},
        {"name": "4 GiB through the API, beside a copy", "unit": "GB/s", "ours": mine, "peer": rate(copies),
         "peer_name": "cp + fsync"},
        {"name": "cced's CPU", "unit": "s/GB", "ours": round(median("cced_cpu") / (BIG / GB), 3),
         "peer": round(floor_cpu(), 3), "peer_name": "TLS, SHA-256 twice, AES-GCM", "target": "ours <= 1.2"},
        {"name": "client's CPU", "unit": "s/GB", "ours": round(median("client_cpu") / (BIG / GB), 3)},
        {"name": "client's peak memory", "unit": "MiB", "ours": round(median("client_peak") / (1 << 20))},
    ]


def juicefs():
    program = os.path.join(REPOSITORY, ".cache", "juicefs", "bin", "juicefs")
    if not os.path.exists(program):
        run_program([os.path.join(REPOSITORY, "deploy", "install"), "--store"])
    return [program, "--no-agent"]


class Volume:
    """A JuiceFS volume (metadata in SQLite, objects in a folder), mounted; never written back late."""

    def __init__(self, folder, place):
        self.place = place
        meta = f"sqlite3://{folder}/meta.db"
        os.makedirs(place, exist_ok=True)
        run_program([*juicefs(), "format", "--trash-days", "0", "--storage", "file", "--bucket", folder + "/objects/", meta,
             "bench"])
        run_program([*juicefs(), "mount", "-d", "--no-syslog", "--log", folder + "/juicefs.log", "--no-usage-report",
             "--backup-meta", "0", "--metrics", "127.0.0.1:0", "--cache-size", "0", meta, place])
        if not os.path.ismount(place):
            raise Failed("the volume is not mounted")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.place], check=False)


def many_files(provider, folder):
    """cced's store is a folder of the volume here; cp -r copies into another folder of it."""
    source = small_files(os.path.join(folder, "small"), SMALL_FILES)
    sample = small_files(os.path.join(folder, "sample"), COPIED_FILES)
    dataset = provider.dataset()
    volume_folder = os.path.join(folder, "volume")
    os.makedirs(volume_folder)
    store = provider.world.path("store", dataset.removeprefix("0x"))
    with Volume(volume_folder, store):
        mine = provider.upload(dataset, source, "--finalize")
        # Not flushed: cp -r leaves nothing to flush, since JuiceFS uploads a file when it is closed.
        copied = timed(lambda: run_program(["cp", "-r", sample, os.path.join(store, "copied")]))
    return [
        {"name": "100,000 files of 4 KiB into JuiceFS", "unit": "files/s", "ours": round(SMALL_FILES / mine["seconds"]),
         "peer": round(COPIED_FILES / copied), "peer_name": f"cp -r ({COPIED_FILES} of them)", "target": "ratio >= 10"},
        {"name": "100,000 files: client's peak memory", "unit": "MiB", "ours": round(mine["client_peak"] / (1 << 20))},
    ]


def run_in(world, folder, rounds):
    provider = Provider(world)
    rows = big_file(provider, folder, rounds)
    rows += many_files(provider, folder)
    rows.append({"name": "cced's peak memory", "unit": "MiB", "ours": round(peak_memory(provider.cced) / (1 << 20)),
                 "target": "ours <= 256"})
    return rows


def run(rounds):
    install(os.path.join(REPOSITORY, "bench", "uploading", "packages.txt"))
    folder = tempfile.mkdtemp(prefix="cce4long-bench-")
    try:
        with World(os.path.join(folder, "world")) as world:
            return run_in(world, folder, min(rounds, MAX_ROUNDS))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
