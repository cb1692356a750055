"""decrypt-fs over a JuiceFS volume, beside reading the same bytes through the same mount without it; and beside
itself with a copy in the cipher's place: what two file systems in user space on top of each other allow at most.

One volume holds the plain data and the sealed store. JuiceFS has no cache of its own on either side, and before each
figure the kernel's pages of both mounts are dropped: the bytes come out of JuiceFS. It counts at its best: buffered
or O_DIRECT."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from bench.reading import loads
from bench.reading.mounts import Sealed, forget
from deploy.world.processes import Failed, run
from deploy.world.store import JUICEFS

BIG = 1 << 30
FIO_SECONDS = 3
BLOCKS = ("1M", "4M")  # of O_DIRECT reads: JuiceFS's best is taken
COMMON = ["--no-syslog", "--no-usage-report", "--backup-meta", "0", "--metrics", "127.0.0.1:0", "--cache-size", "0"]
READER = ["--read-only", "--no-bgjob", *(word for cache in ("open", "attr", "entry", "dir-entry") for word in (f"--{cache}-cache", "86400"))]


class Volume:
    """A volume on SQLite and a folder: mounted to be written, then anew to be read, as it is in a confidential machine."""

    def __init__(self, work):
        self.path = os.path.join(work, "juicefs")
        self.home = os.path.join(work, "home")
        for folder in (self.path, self.home, os.path.join(work, "objects")):
            os.makedirs(folder)
        self.metadata = f"sqlite3://{work}/metadata.db"
        self.environment = {"HOME": self.home, "TMPDIR": self.home, "PATH": "/usr/bin:/bin", "JFS_SUPERVISOR": "1"}
        run([JUICEFS, "--no-agent", "format", "--trash-days", "1", "--storage", "file", "--bucket",
             os.path.join(work, "objects") + "/", self.metadata, "bench"])

    def __enter__(self):
        self.mount([])
        return self

    def __exit__(self, *_):
        self.unmount()

    def reopen(self):
        self.unmount()
        self.mount(READER)

    def mount(self, options):
        with open(os.path.join(self.home, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([JUICEFS, "--no-agent", "mount", *COMMON, *options, self.metadata, self.path],
                                            env=self.environment, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while not os.path.ismount(self.path):
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed("JuiceFS did not mount")
            time.sleep(0.02)

    def unmount(self):
        subprocess.run(["umount", "-l", self.path], check=False)
        self.process.terminate()
        self.process.wait(20)


def drop(*roots):
    for root in roots:
        for folder, _, files in os.walk(root):
            for name in files:
                forget(os.path.join(folder, name))


def direct(path, block):
    """GB/s of O_DIRECT reads in order."""
    started = time.perf_counter()
    subprocess.run(["dd", f"if={path}", "of=/dev/null", f"bs={block}", "iflag=direct", "status=none"], check=True)
    return os.path.getsize(path) / 1e9 / (time.perf_counter() - started)


def read_in_order(volume, sealed):
    with sealed:
        drop(volume.path, sealed.path)
        return loads.sequential(sealed, os.path.join(sealed.path, "big"), 1)["rate"]


def measure(volume, sealed, copying, plain, number):
    out = {}
    drop(volume.path)
    out["plain buffered"] = loads.sequential(sealed, plain, 1)["rate"]
    for block in BLOCKS:
        drop(volume.path)
        out["plain O_DIRECT " + block] = direct(plain, block)
    drop(volume.path)
    out["plain random"] = loads.random_reads(plain, BIG, "4k", 1, FIO_SECONDS, number)["rate"]
    out["ours"] = read_in_order(volume, sealed)
    out["copying"] = read_in_order(volume, copying)
    with sealed:
        drop(volume.path, sealed.path)
        big = os.path.join(sealed.path, "big")
        out["ours random"] = loads.random_reads(big, BIG, "4k", 1, FIO_SECONDS, number)["rate"]
    print(f"decryptfs: {({k: round(v, 3) for k, v in out.items()})}", file=sys.stderr, flush=True)
    return out


def rows(rounds):
    work = tempfile.mkdtemp(prefix="cce4long-bench-")
    try:
        with Volume(work) as volume:
            source = os.path.join(work, "source")
            os.makedirs(source)
            with open(os.path.join(source, "big"), "wb") as out:
                for _ in range(BIG >> 24):
                    out.write(os.urandom(1 << 24))
            plain = os.path.join(volume.path, "plain")
            run(["cp", os.path.join(source, "big"), plain])
            sealed = Sealed.seal("decrypt-fs", source, os.path.join(volume.path, "store"), os.path.join(work, "mnt"))
            copying = Sealed.seal("decrypt-fs, copying", source, os.path.join(volume.path, "store-null"),
                                  os.path.join(work, "mnt-null"), variant="-null")
            run(["sync"])
            volume.reopen()
            done = [measure(volume, sealed, copying, plain, number + 1) for number in range(rounds)]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    median = {key: statistics.median(figures[key] for figures in done) for key in done[0]}
    best = max((key for key in median if key.startswith("plain") and key != "plain random"), key=median.get)
    return [{"name": "over JuiceFS: sequential", "unit": "GB/s", "ours": median["ours"], "peer": median[best],
             "peer_name": "JuiceFS, " + best.removeprefix("plain "), "target": "ratio >= 0.8"},
            {"name": "over JuiceFS: sequential", "unit": "GB/s", "ours": median["ours"], "peer": median["copying"],
             "peer_name": copying.name},
            {"name": "over JuiceFS: random 4 KiB, depth 1", "unit": "1/s", "ours": median["ours random"],
             "peer": median["plain random"], "peer_name": "JuiceFS", "target": "ratio >= 1.5"}]
