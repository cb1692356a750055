"""./test soak: one large dataset through its life - upload, finalize, mount, list, read, verify, rotate - with the
memory, time and room that each step takes. Fails where the sealed form takes more than 1 % and, for each file, 96
bytes and its name; where cced takes more than 256 MiB in any step, also while it builds the leak index; where a byte
read differs from what was sent.

    ./test soak                                   8 GiB, 500,000 files
    ./test soak --bytes 512M --files 20000        something to try it with
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import hmac
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from deploy.world.processes import Failed, peak_memory  # noqa: E402
from deploy.world.scenario import Scenario  # noqa: E402
from deploy.world.world import World  # noqa: E402

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
LARGE_FILE = 256 << 20
SMALL_SHARE = 4  # one byte in so many lies in small files
BLOCK = 1 << 20
CCED_MIB = 256


def size(text):
    number, unit = re.fullmatch(r"(\d+)([KMG]?)i?B?", text).groups()
    return int(number) * UNITS[unit]


def mib(count):
    return f"{count / (1 << 20):,.0f} MiB"


class Folder:
    """A folder of large files and many small ones, whose content is known without reading it again."""

    def __init__(self, path, total, files, seed=42):
        self.path, self.files = path, files
        self.large = max(1, (total - total // SMALL_SHARE) // LARGE_FILE)
        small = files - self.large
        self.small_size = max(1, (total // SMALL_SHARE) // max(1, small))
        self.large_size = (total - small * self.small_size) // self.large
        # Bytes that no block of a file repeats: a window into noise, moved by the file's number.
        self.noise = random.Random(seed).randbytes(2 * BLOCK)
        self.bytes = 0
        self.name_bytes = 0

    def name(self, number):
        if number < self.large:
            return f"genomes/sample-{number:03}.bin"
        number -= self.large
        return f"wearables/{number // 5000:04}/{number // 500 % 10}/{number:07}.json"

    def block(self, number, place, count):
        shift = (number * 7919 + place * 104729) % BLOCK
        return struct.pack(">QQ", number, place) + self.noise[shift + 16:shift + count] \
            if count > 16 else self.noise[shift:shift + count]

    def size_of(self, number):
        return self.large_size if number < self.large else self.small_size

    def make(self):
        made = set()
        for number in range(self.files):
            name = self.name(number)
            path = os.path.join(self.path, name)
            folder = os.path.dirname(path)
            if folder not in made:
                os.makedirs(folder, exist_ok=True)
                made.add(folder)
            left = self.size_of(number)
            with open(path, "wb", buffering=0) as out:
                for place in range((left + BLOCK - 1) // BLOCK):
                    out.write(self.block(number, place, min(BLOCK, left - place * BLOCK)))
            self.bytes += left
            self.name_bytes += len(os.path.basename(name))

    def content(self, number, offset, count):
        place = offset // BLOCK
        whole = min(BLOCK, self.size_of(number) - place * BLOCK)
        return self.block(number, place, whole)[offset - place * BLOCK:][:count]


def frame(label, *fields):
    return b"".join(struct.pack(">I", len(f)) + f for f in (label.encode(), *fields))


def hkdf(key, info):
    secret = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()


def dek_of(world, dataset, epoch):
    """The DEK, from the root key and the epoch's file as docs/formats/protocol.md ("Keys") says: the disk of a
    development engine has both."""
    from Crypto.Cipher import AES
    with open(world.path("root.key"), "rb") as file:
        root = file.read()
    number = struct.pack(">I", epoch)
    seal_key = hkdf(root, frame("cce4long/v1/epoch-seal"))
    folder = world.path("state", "epochs")
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            sealed = file.read()
        with contextlib.suppress(ValueError):  # another epoch's file
            aead = AES.new(seal_key, AES.MODE_GCM, nonce=sealed[1:13])
            aead.update(frame("cce4long/v1/epoch-secret", dataset, number))
            secret = aead.decrypt_and_verify(sealed[13:-16], sealed[-16:])
            return hkdf(root, frame("cce4long/v1/dek", dataset, number, secret))
    raise Failed(f"no secret of epoch {epoch}")


class Mounted:
    """The snapshot behind decrypt-fs."""

    def __init__(self, world, dataset, snapshot, epoch):
        self.mountpoint = world.path("mount-" + snapshot[:8])
        os.makedirs(self.mountpoint, exist_ok=True)
        key = bytes.fromhex(dataset.removeprefix("0x"))
        start = json.dumps({
            "dataset": key.hex(), "snapshot": snapshot, "store_dir": world.path("store", key.hex()),
            "mountpoint": self.mountpoint, "epochs": [epoch], "read_ahead_kb": 4096, "threads": 4, "cache_mib": 16,
            "allow_other": True, "uid": 0, "gid": 0, "prefetch_max_bytes": 1 << 30}).encode()
        started = time.monotonic()
        start_read, start_write = os.pipe()
        status_read, status_write = os.pipe()
        self.log = open(world.path("logs", "decrypt-fs.log"), "ab")
        command = 'exec 3<&"$1" 4>&"$2"; exec "$0"'
        self.process = subprocess.Popen(["bash", "-c", command, world.program("decrypt-fs"), str(start_read),
                                         str(status_write)], pass_fds=(start_read, status_write), stderr=self.log)
        os.close(start_read)
        os.close(status_write)
        self.start = start_write
        os.write(start_write, struct.pack(">I", len(start)) + start + dek_of(world, key, epoch))
        with os.fdopen(status_read) as status:
            line = status.readline()
        if '"ready"' not in line:
            raise Failed(f"decrypt-fs: {line}")
        self.seconds = time.monotonic() - started

    def peak(self):
        return peak_memory(self.process.pid)

    def close(self):
        os.close(self.start)
        self.process.wait(30)
        self.log.close()


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")


def stored_bytes(world, dataset):
    total = 0
    for folder, _, names in os.walk(world.path("store", dataset.removeprefix("0x"))):
        total += sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    return total


class Soak:
    def __init__(self, world, options):
        self.world, self.options = world, options
        self.scenario = Scenario(world, demo=None)
        self.folder = Folder(world.path("data"), options.bytes, options.files)
        self.failed = []
        self.highest = 0

    def cced(self):
        return self.world.processes.children["cced"].pid

    @contextlib.contextmanager
    def step(self, name):
        """Times a step and prints it with what it notes."""
        forget_peak(self.cced())
        notes = []
        started = time.monotonic()
        yield notes
        seconds = time.monotonic() - started
        peak = peak_memory(self.cced())
        print(f"{name:<34} {seconds:8.1f} s  cced {mib(peak):>10}  {'  '.join(notes)}", flush=True)
        self.highest = max(self.highest, peak)
        self.expect(peak <= CCED_MIB << 20, f"cced took {mib(peak)} in this step: {name}")

    def expect(self, good, what):
        if not good:
            self.failed.append(what)
            print(f"✗ {what}", flush=True)

    def client(self, *arguments):
        """A command of the owner's; its answer, and the most memory that it took."""
        command = ["/usr/bin/env", "python3", "-c",
                   "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); "
                   "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); "
                   "sys.exit(done.returncode)", *self.scenario.owner.arguments("--json", *arguments)]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"cce {' '.join(map(str, arguments))}: {done.stdout}\n{done.stderr}")
        return json.loads(done.stdout), int(done.stderr.splitlines()[-1]) * 1024

    def run(self):
        folder, scenario = self.folder, self.scenario
        with self.step("make the folder"):
            folder.make()
        print(f"    {folder.files:,} files, {mib(folder.bytes)}: {folder.large} of {mib(folder.large_size)}, "
              f"the others of {folder.small_size:,} bytes")
        scenario.owner.trust()
        self.dataset = scenario.dataset = scenario.owner.cce_json("dataset", "create")["dataset"]
        scenario.set_policy()
        with self.step("upload") as notes:
            _, memory = self.client("dataset", "upload", self.dataset, folder.path)
            notes.append(f"client {mib(memory)}")
        with self.step("finalize") as notes:
            self.snapshot = self.client("dataset", "finalize", self.dataset)[0]["snapshot_id"]
        self.check_overhead()
        self.read(1)
        self.wait_for_index()
        with self.step("verify"):
            verified, _ = self.client("dataset", "verify", self.dataset)
        self.expect(verified["damaged"] == 0, "the verification found damage")
        with self.step("rotate"):
            rotated, _ = self.client("dataset", "rotate", self.dataset)
        self.snapshot = rotated["snapshots"][0]["snapshot_id"]
        self.read(2)
        print(f"cced took at most {mib(self.highest)} of {CCED_MIB} MiB allowed")
        return self.failed

    def check_overhead(self):
        snapshot = self.scenario.owner.cce_json("dataset", "show", self.dataset, "--full")["snapshots"][-1]
        overhead = snapshot["sealed_bytes"] - self.folder.bytes
        allowed = self.folder.bytes // 100 + 96 * self.folder.files + self.folder.name_bytes
        print(f"    overhead {overhead:,} bytes of {allowed:,} allowed (1 %, 96 bytes and the name for each file); index "
              f"{snapshot['index_bytes']:,}: {snapshot['index_bytes'] / self.folder.files:.0f} bytes a file")
        self.expect(overhead <= allowed, "the sealed form is too large")

    def wait_for_index(self):
        with self.step("leak index (background)"):
            end = time.monotonic() + self.options.index_seconds
            while time.monotonic() < end:
                held = self.scenario.owner.cce_json("dataset", "show", self.dataset)["snapshots"]
                if all(s["leak_index"] for s in held):
                    return
                time.sleep(1)
        print("    not built in time; the following steps run beside it")

    def read(self, epoch):
        mounted = Mounted(self.world, self.dataset, self.snapshot, epoch)
        try:
            print(f"mounted epoch {epoch} in {mounted.seconds:.1f} s, decrypt-fs {mib(mounted.peak())}")
            with self.step("list (find)") as notes:
                listed = subprocess.run(["find", mounted.mountpoint, "-type", "f", "-printf", "."], check=True,
                                        capture_output=True).stdout
                notes.append(f"{len(listed):,} files")
            self.expect(len(listed) == self.folder.files, "the mount lists another number of files")
            with self.step("du"):
                subprocess.run(["du", "-s", "--apparent-size", mounted.mountpoint], check=True, capture_output=True)
            with self.step("small files at random") as notes:
                count = min(20_000, self.folder.files)
                self.read_small(mounted.mountpoint, count)
                notes.append(f"{count:,} files")
            with self.step(f"{self.options.readers} readers at once") as notes:
                total = self.read_many(mounted.mountpoint)
                notes.append(f"{mib(total)} in {self.options.seconds} s")
            print(f"    decrypt-fs took at most {mib(mounted.peak())}")
        finally:
            mounted.close()

    def read_small(self, mountpoint, count):
        numbers = random.Random(7).sample(range(self.folder.large, self.folder.files),
                                          min(count, self.folder.files - self.folder.large))
        for number in numbers:
            with open(os.path.join(mountpoint, self.folder.name(number)), "rb", buffering=0) as file:
                if file.read() != self.folder.content(number, 0, BLOCK):
                    self.expect(False, f"{self.folder.name(number)} differs")
                    return

    def read_many(self, mountpoint):
        with concurrent.futures.ProcessPoolExecutor(self.options.readers) as pool:
            done = [pool.submit(reader, self.folder, mountpoint, self.options.seconds, seed)
                    for seed in range(self.options.readers)]
            results = [d.result() for d in done]
        for _, wrong in results:
            self.expect(not wrong, f"{wrong} differs")
        return sum(count for count, _ in results)


def reader(folder, mountpoint, seconds, seed):
    """Reads at random places of large and small files, and compares; bytes read, and what was wrong."""
    choice = random.Random(seed)
    end = time.monotonic() + seconds
    total = 0
    while time.monotonic() < end:
        number = choice.randrange(folder.large) if choice.random() < 0.5 else choice.randrange(folder.files)
        limit = folder.size_of(number)
        with open(os.path.join(mountpoint, folder.name(number)), "rb", buffering=0) as file:
            for _ in range(8):
                offset = choice.randrange(limit)
                count = min(choice.choice((4096, 65536, 1 << 20)), BLOCK - offset % BLOCK, limit - offset)
                file.seek(offset)
                got = file.read(count)
                while len(got) < count:
                    more = file.read(count - len(got))
                    if not more:
                        break
                    got += more
                if got != folder.content(number, offset, count):
                    return total, folder.name(number)
                total += count
    return total, ""


def main():
    parser = argparse.ArgumentParser(prog="./test soak", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=size, default="8G", help="of all files together; K, M, G")
    parser.add_argument("--files", type=int, default=500_000)
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--read-seconds", dest="seconds", type=int, default=60, help="that the readers read")
    parser.add_argument("--index-seconds", type=int, default=300, help="to wait for the leak index")
    parser.add_argument("--folder", help="where to work; else a temporary folder")
    parser.add_argument("--keep", action="store_true", help="leave the folder behind")
    options = parser.parse_args()
    place = tempfile.mkdtemp(prefix="cce4long-soak-", dir=options.folder)
    world = World(place, build=os.environ.get("CCE_BUILD"), settings={
        "datasets": "verify_mib_per_second = 1048576\nrotate_mib_per_second = 1048576"})
    started = time.monotonic()
    try:
        with world:
            failed = Soak(world, options).run()
    finally:
        if not options.keep:
            shutil.rmtree(place, ignore_errors=True)
    print(f"took {time.monotonic() - started:.0f} s")
    print("failed: " + "; ".join(failed) if failed else "the soak passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
