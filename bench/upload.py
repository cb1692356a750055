"""How fast an upload is, end to end: `cce dataset upload` through cced's HTTPS API into its store, client and server on
the same cores, beside `age` and `cp` onto the same disk (each followed by an fsync), and beside what TLS, SHA-256 and
AES-GCM alone cost. Then many small files into cced's JuiceFS volume, beside `cp -r` into the same volume.

The source lies in the page cache. Each round takes ours, age and cp in turn; a figure is the median of the rounds.
"""

import glob
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from bench.reading.mounts import program
from bench.reading.packages import install
from deploy.world.processes import Failed, forget_peak_memory, peak_memory, run_json
from deploy.world.processes import run as run_program
from deploy.world.scenario import Scenario
from deploy.world.world import REPOSITORY, World

BIG = 4 << 30
SMALL_FILES, SMALL_SIZE = 100_000, 4096
COPIED_FILES = 2_000  # of the small ones, by cp -r: its rate does not depend on how many
MAX_ROUNDS = 3
INDEX_SECONDS = 300
GB = 1e9


def note(text):
    print(f"upload: {text}", file=sys.stderr, flush=True)


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
    """CPU seconds of a process: of its own, and in the kernel."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return [int(fields[at]) / os.sysconf("SC_CLK_TCK") for at in (11, 12)]


def synced(arguments, target, **options):
    """Runs a program that writes `target`, then has it on the disk; seconds."""
    def action():
        subprocess.run(arguments, check=True, **options)
        with open(target, "rb") as out:
            os.fsync(out.fileno())
    seconds = timed(action)
    os.unlink(target)
    return seconds


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
        """Seconds, and CPU seconds and peak memory of the client and of cced."""
        forget_peak_memory(self.cced)
        before = cpu_of(self.cced)
        began = time.monotonic()
        client = subprocess.Popen(self.owner.arguments("--json", "dataset", "upload", dataset, path, *options),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = client.stderr.read()
        _, status, usage = os.wait4(client.pid, 0)
        if status != 0:
            raise Failed(said.decode())
        own, kernel = (after - then for after, then in zip(cpu_of(self.cced), before))
        return {"seconds": time.monotonic() - began, "client_cpu": usage.ru_utime + usage.ru_stime,
                "client_peak": usage.ru_maxrss * 1024, "cced_cpu": own + kernel, "cced_kernel": kernel,
                "cced_peak": peak_memory(self.cced)}

    def index_memory(self, dataset):
        """cced's peak memory while it makes the leak index of what was uploaded, to its end."""
        end = time.monotonic() + INDEX_SECONDS
        while not all(one["leak_index"] for one in self.owner.cce_json("dataset", "show", dataset)["snapshots"]):
            if time.monotonic() > end:
                raise Failed("the leak index is not built")
            time.sleep(0.5)
        return peak_memory(self.cced)

    def remove(self, dataset):
        """The objects: room for the next round."""
        shutil.rmtree(self.world.path("store", dataset.removeprefix("0x")))

    def volume(self, dataset):
        """Where cced has mounted the dataset's volume."""
        return next(place for place in glob.glob(self.world.path("store", "mounts", "*"))
                    if dataset.removeprefix("0x") in place)


def median(figures, name):
    return statistics.median(figure[name] for figure in figures)


def row(name, unit, ours, peer=None, peer_name=None, target=None):
    return {"name": name, "unit": unit, "ours": round(ours, 3), "peer": peer and round(peer, 3), "peer_name": peer_name,
            "target": target}


def memory_rows(what, done):
    def most(name):
        return max(one[name] for one in done) / (1 << 20)
    return [row(f"{what}: client's peak memory", "MiB", most("client_peak")),
            row(f"{what}: cced's peak memory", "MiB", most("cced_peak"), target="ours <= 256")]


def big_file(provider, folder, rounds):
    source = fill(os.path.join(folder, "big.bin"), BIG)
    key = subprocess.run(["age-keygen", "-o", os.path.join(folder, "age.key")], check=True, capture_output=True,
                         text=True).stderr
    recipient = key.rsplit(" ", 1)[1].strip()
    out = os.path.join(folder, "out")
    ours, age, copies = [], [], []
    for number in range(rounds):
        run_program(["sync"])  # what was written before is no part of what is measured
        dataset = provider.dataset()
        ours.append(provider.upload(dataset, source))
        provider.remove(dataset)
        age.append(synced(["age", "-r", recipient, "-o", out, source], out))
        copies.append(synced(["cp", source, out], out))
        note(f"large file, round {number + 1} of {rounds}: {ours[-1]['seconds']:.1f} s and "
             f"{ours[-1]['cced_cpu']:.1f} s of cced's CPU, age {age[-1]:.1f} s, cp {copies[-1]:.1f} s")
    os.unlink(source)
    gigabytes = BIG / GB
    mine = gigabytes / median(ours, "seconds")
    floor = sum(run_json([program("upload-floor")]).values())
    return [
        row("4 GiB through the API", "GB/s", mine, gigabytes / statistics.median(age), "age + fsync", "ratio >= 0.5"),
        row("4 GiB through the API, beside a copy", "GB/s", mine, gigabytes / statistics.median(copies), "cp + fsync"),
        row("4 GiB: cced's CPU", "s/GB", median(ours, "cced_cpu") / gigabytes, floor, "TLS, SHA-256 twice, AES-GCM",
            "ours <= 1.2"),
        row("4 GiB: cced's CPU, of it in the kernel", "s/GB", median(ours, "cced_kernel") / gigabytes),
        row("4 GiB: client's CPU", "s/GB", median(ours, "client_cpu") / gigabytes),
        *memory_rows("4 GiB", ours),
    ]


def many_files(provider, folder, rounds):
    source = small_files(os.path.join(folder, "small"), SMALL_FILES)
    sample = small_files(os.path.join(folder, "sample"), COPIED_FILES)
    ours, copies, indexes = [], [], []
    for number in range(rounds):
        run_program(["sync"])
        dataset = provider.dataset()
        ours.append(provider.upload(dataset, source, "--finalize"))
        indexes.append(provider.index_memory(dataset))
        # Not flushed: cp -r leaves nothing to flush, since JuiceFS uploads a file when it is closed.
        place = os.path.join(provider.volume(dataset), "copied")
        copies.append(timed(lambda: run_program(["cp", "-r", sample, place])))
        note(f"small files, round {number + 1} of {rounds}: {ours[-1]['seconds']:.1f} s, "
             f"cp -r of {COPIED_FILES} {copies[-1]:.1f} s")
    name = f"{SMALL_FILES} files"
    return [row(f"{name} of 4 KiB into JuiceFS", "files/s", SMALL_FILES / median(ours, "seconds"), COPIED_FILES / statistics.median(copies),
                f"cp -r ({COPIED_FILES} of them)", "ratio >= 10"), *memory_rows(name, ours),
            row(f"{name}: cced's, leak index", "MiB", max(indexes) / (1 << 20))]


def in_world(folder, settings, measure, rounds):
    """`measure` with a provider in a world of its own."""
    os.makedirs(folder)
    try:
        with World(os.path.join(folder, "world"), settings=settings) as world:
            return measure(Provider(world), folder, rounds)
    finally:
        for place in glob.glob(os.path.join(folder, "world", "store", "mounts", "*")):
            if os.path.ismount(place):  # of a cced that was killed
                subprocess.run(["umount", "-l", place], check=True)
        shutil.rmtree(folder)


def run(rounds):
    install(os.path.join(REPOSITORY, "bench", "uploading", "packages.txt"))
    run_program([os.path.join(REPOSITORY, "deploy", "install"), "--store"])
    rounds = min(rounds, MAX_ROUNDS)
    folder = tempfile.mkdtemp(prefix="cce4long-bench-")
    try:
        return [*in_world(os.path.join(folder, "large"), {}, big_file, rounds),
                *in_world(os.path.join(folder, "small"), {"distributed_store": True}, many_files, rounds)]
    finally:
        os.rmdir(folder)
