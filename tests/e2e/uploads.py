"""Datasets of the end-to-end tests: folders of random content, their uploads, and what a job reads of them."""

import hashlib
import json
import os
import random
import signal
import subprocess

from deploy.world.world import write

MIB = 1 << 20
# One line for the whole dataset, of all that rsync -rtpc compares: paths, kinds, sizes, modes, times, content.
LISTING = ("cd /data/* && busybox find . ! -name . | sort | while read -r f; do "
           "if [ -d $f ]; then busybox stat -c '%n/ %a %Y' $f; "
           "else busybox stat -c '%n %s %a %Y' $f; busybox sha256sum < $f; fi; done "
           "| busybox sha256sum | cut -d' ' -f1 > /output/digest.txt")


def fill(folder, sizes, seed=1):
    numbers = random.Random(seed)
    for name, size in sizes.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(numbers.randbytes(size))
    return folder


def new_dataset(stage, name):
    dataset = stage.owner.cce_json("dataset", "create", "--price-wei", "1000")["dataset"]
    policy = stage.policy_toml().replace(stage.dataset, dataset)
    stage.owner.cce("dataset", "policy", "set", dataset, write(stage.world.path(f"{name}.toml"), policy))
    return dataset


def upload(stage, dataset, *arguments, **options):
    done = subprocess.run(stage.owner.arguments("--json", "dataset", "upload", dataset, *arguments),
                          capture_output=True, check=False, timeout=120, **options)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def check(stage, dataset, folder):
    """Finalizes, and compares the receipt with the folder."""
    receipt = stage.world.path("checked-receipt.json")
    done = stage.owner.cce_json("dataset", "finalize", dataset, folder, "--receipt", receipt)
    stage.owner.cce("dataset", "check-receipt", receipt, folder)
    return done["snapshot_id"]


def store_of(stage, dataset):
    return stage.world.path("store", dataset.removeprefix("0x"))


def leftovers(store):
    """Objects that somebody began to write there."""
    return [name for name in os.listdir(store) if name.startswith(".new-")]


def objects_of(stage, dataset):
    found = set()
    for _, _, names in os.walk(store_of(stage, dataset)):
        found.update(names)
    return found


def listing_digest(folder):
    """What LISTING gives for the folder itself."""
    lines = []
    for place, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(place, name)
            info = os.stat(path)
            mode_and_time = f"{info.st_mode & 0o7777:o} {int(info.st_mtime)}"
            shown = "./" + os.path.relpath(path, folder)
            if name in folders:
                lines.append((shown, f"{shown}/ {mode_and_time}\n"))
                continue
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append((shown, f"{shown} {info.st_size} {mode_and_time}\n{digest}  -\n"))
    text = "".join(line for _, line in sorted(lines, key=lambda line: line[0].encode()))
    return hashlib.sha256(text.encode()).hexdigest()


def read_back(stage, dataset):
    """LISTING's digest of the dataset's newest snapshot, by a job of the consumer."""
    before, stage.dataset = stage.dataset, dataset
    try:
        stage.rent()
        stage.wait_for_index()
        job = stage.job(LISTING, memory=1024)
        assert stage.ended(job)["state"] == "released", stage.explain_text(job)
        with open(os.path.join(stage.fetch(job)["folder"], "digest.txt"), encoding="utf-8") as out:
            return out.read().strip()
    finally:
        stage.dataset = before


def kill_and_restart(stage):
    process = stage.world.processes.children.pop("cced")
    process.send_signal(signal.SIGKILL)
    process.wait()
    stage.world.start_cced()
