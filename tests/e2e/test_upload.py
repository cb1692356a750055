"""Uploads at full depth: only what changed travels; streams; a full disk; kills and cut networks at random points;
hosts between client and cced; memory."""

import contextlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tarfile

from deploy.world.processes import free_port, peak_memory
from deploy.world.world import write
from stage import code_in, wait_until
from uploads import (MIB, check, fill, kill_and_restart, leftovers, listing_digest, new_dataset, objects_of, read_back,
                     store_of, upload)


def test_only_what_changed_travels(behind):
    folder = fill(behind.world.path("cohort"), {f"site{i % 3}/person-{i}.bin": 300_000 + i for i in range(30)}
                  | {"scan.bin": 20 * MIB})
    dataset = new_dataset(behind, "incremental")
    first = upload(behind, dataset, folder, "--finalize")
    assert first["bytes_sent"] == first["bytes"]
    before = objects_of(behind, dataset)

    fill(folder, {"site1/person-4.bin": 300_004, "site2/new.bin": 1000}, seed=2)
    os.rename(os.path.join(folder, "site0/person-0.bin"), os.path.join(folder, "moved.bin"))
    os.unlink(os.path.join(folder, "site0/person-3.bin"))
    came = behind.proxy.received
    receipt = behind.world.path("second-receipt.json")
    second = upload(behind, dataset, folder, "--finalize", "--receipt", receipt)
    assert second["bytes_sent"] == 301_004
    assert behind.proxy.received - came < 301_004 + 40_000, "more than what changed has travelled"
    behind.owner.cce("dataset", "check-receipt", receipt, folder)
    # One object of new content and one index.
    assert len(objects_of(behind, dataset) - before) <= 3

    whole = upload(behind, dataset, folder, "--full", "--finalize")
    assert whole["bytes_sent"] == whole["bytes"] == second["bytes"]


def test_streams(behind):
    data = random.Random(3).randbytes(3 * MIB)
    dataset = new_dataset(behind, "streams")
    receipt = behind.world.path("stream-receipt.json")
    upload(behind, dataset, "-", "--name", "reads.fastq", "--finalize", "--receipt", receipt, input=data)
    folder = behind.world.path("stream")
    os.makedirs(folder)
    with open(os.path.join(folder, "reads.fastq"), "wb") as out:
        out.write(data)
    behind.owner.cce("dataset", "check-receipt", receipt, folder)

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for name in ("z/last.bin", "a.bin", "ä/ö.txt", "reads.fastq"):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "a.bin"
        tar.addfile(link)
    done = upload(behind, dataset, "-", "--tar", "--finalize", "--receipt", receipt, "--chunk-size", "256K",
                  input=archive.getvalue())
    assert done["bytes_sent"] == len("a.bin"), "all but the link is what the first snapshot holds"
    shutil.rmtree(folder)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        tar.extractall(folder, filter="fully_trusted") if hasattr(tarfile, "fully_trusted_filter") \
            else tar.extractall(folder)
    behind.owner.cce("dataset", "check-receipt", receipt, folder)

    with tarfile.open(behind.world.path("hostile.tar"), "w") as tar:
        tar.addfile(tarfile.TarInfo("../escape"))
    assert code_in(behind.owner.refused("dataset", "upload", dataset, behind.world.path("hostile.tar"), "--tar")) == \
        "dataset.bad_path"


@contextlib.contextmanager
def small_disk(folder, size):
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_what_does_not_fit_is_refused_before_anything_is_written(behind):
    folder = fill(behind.world.path("too-large"), {f"{i}.bin": 8 * MIB for i in range(12)})
    dataset = new_dataset(behind, "refused")
    store = store_of(behind, dataset)
    with small_disk(store, "130m"):
        said = behind.owner.refused("dataset", "upload", dataset, folder)
        assert code_in(said) == "io.disk_full", said
        assert "expected" in said and "found" in said and "bytes free" in said, said
        assert not os.listdir(store), "something was written"
        subprocess.run(["mount", "-o", "remount,size=512m", store], check=True)
        assert upload(behind, dataset, folder)["parts_already_there"] == 0
        check(behind, dataset, folder)


def test_a_full_disk_is_an_error_and_then_resumed(behind):
    folder = fill(behind.world.path("large"), {f"{i}.bin": 8 * MIB for i in range(12)})
    dataset = new_dataset(behind, "full")
    store = store_of(behind, dataset)
    with small_disk(store, "200m"):
        # Room enough at first.
        behind.proxy.after(40 * MIB, lambda: subprocess.run(["mount", "-o", "remount,size=130m", store], check=True))
        said = behind.owner.refused("dataset", "upload", dataset, folder)
        assert code_in(said) == "io.disk_full", said
        wait_until(lambda: not leftovers(store), "the end of what was half-written")  # cced notices that the client left
        subprocess.run(["mount", "-o", "remount,size=512m", store], check=True)
        again = upload(behind, dataset, folder)
        assert again["parts"] > again["parts_already_there"]
        check(behind, dataset, folder)


def test_kills_and_cuts_at_random_points(behind):
    """Whatever dies at whatever byte, the upload goes on and its snapshot is the folder."""
    numbers = random.Random(os.environ.get("CCE_SEED", "upload"))
    folder = fill(behind.world.path("random"), {f"d{i % 4}/{i}.bin": numbers.randint(0, 6 * MIB) for i in range(24)}
                  | {"whole.bin": 40 * MIB})
    total = sum(os.path.getsize(os.path.join(place, name)) for place, _, names in os.walk(folder) for name in names)
    dataset = new_dataset(behind, "random")
    command = behind.owner.arguments("--json", "dataset", "upload", dataset, folder, "--threads", "2")
    for what in ("client", "cced", "network", "client", "cced", "network"):
        client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        action = {"client": client.kill, "cced": lambda: kill_and_restart(behind), "network": behind.proxy.cut}[what]
        behind.proxy.after(numbers.randint(100_000, total // 5), action)
        _, said = client.communicate(timeout=120)
        assert b"internal." not in said, said.decode()
    behind.proxy.after(1 << 60, lambda: None)
    again = upload(behind, dataset, folder)
    assert again["parts_already_there"] > 0
    check(behind, dataset, folder)
    assert read_back(behind, dataset) == listing_digest(folder)


def test_what_a_killed_cced_left_half_written_is_removed_at_its_start(behind):
    dataset = new_dataset(behind, "half")
    store = store_of(behind, dataset)
    left = set()

    def die():
        behind.world.processes.stop("cced", signal.SIGKILL)
        left.update(leftovers(store))
        behind.world.start_cced()

    for seed in range(5):  # until a kill falls between an object's begin and its end: nearly always the first
        folder = fill(behind.world.path("half"), {"whole.bin": 32 * MIB}, seed=seed)
        behind.proxy.after(5 * MIB, die)
        upload(behind, dataset, folder, "--threads", "2")  # goes on when cced is back
        if left:
            break
    assert left, "no kill hit a writer"
    assert not left & set(leftovers(store))
    check(behind, dataset, folder)


def test_a_host_that_ends_tls_reads_nothing(behind):
    folder = fill(behind.world.path("secret"), {"a.bin": 2 * MIB})
    dataset = new_dataset(behind, "secret")
    behind.proxy.read = b""
    behind.proxy.intercept = True
    try:
        assert code_in(behind.owner.refused("dataset", "upload", dataset, folder)) == "trust.tls_key"
    finally:
        behind.proxy.intercept = False
    # All that it has seen is the question for the identity.
    assert re.findall(rb"(?:GET|PUT|POST) (\S+)", behind.proxy.read) and \
        all(path.startswith(b"/v1/identity?") for path in re.findall(rb"(?:GET|PUT|POST) (\S+)", behind.proxy.read))


def test_a_key_that_changes_between_two_parts_ends_the_upload(behind):
    folder = fill(behind.world.path("changed"), {f"{i}.bin": 17 * MIB for i in range(5)})
    dataset = new_dataset(behind, "changed")
    behind.proxy.read = b""

    def change():
        behind.proxy.intercept = True
        behind.proxy.cut()

    behind.proxy.after(30 * MIB, change)
    try:
        said = behind.owner.refused("dataset", "upload", dataset, folder, "--threads", "1")
        assert code_in(said) == "net.wrong_key", said
        assert behind.proxy.read == b"", "a byte has left to another key"
    finally:
        behind.proxy.intercept = False
    again = upload(behind, dataset, folder)
    assert again["parts_already_there"] > 0
    check(behind, dataset, folder)


def test_another_genuine_cced_gets_nothing(behind):
    """Same program, same hardware, another root key: attested, and still not the one that was pinned."""
    world = behind.world
    with open(world.path("cced.toml"), encoding="utf-8") as config:
        text = config.read()
    port, monitor = free_port(), free_port()
    text = text.replace(f"port = {behind.inner}\n", f"port = {port}\n", 1)
    text = text.replace(f"port = {world.ports['monitor']}\n", f"port = {monitor}\n", 1)
    text = text.replace(world.path("state"), world.path("state2")).replace(world.path("root.key"), world.path("root2.key"))
    text = re.sub(r'anchor_contract = "[^"]*"', 'anchor_contract = ""', text)
    write(world.path("cced2.toml"), text)
    world.processes.start("cced2", [world.program("cced"), "--config", world.path("cced2.toml")])
    folder = fill(world.path("mine"), {"a.bin": MIB})
    try:
        world.processes.wait_for_port("cced2", port)
        behind.proxy.target = port
        assert code_in(behind.owner.refused("dataset", "upload", behind.dataset, folder)) == "trust.changed"
    finally:
        behind.proxy.target = behind.inner
        world.processes.stop("cced2")


def test_memory_is_flat_whatever_is_uploaded_at_once(behind):
    dataset = new_dataset(behind, "memory")
    folders = []
    for number in range(5):
        sizes = {f"{i}.bin": 40 * MIB for i in range(2)} | {f"small/{i}": 100 + i for i in range(4000)}
        folders.append(fill(behind.world.path(f"memory-{number}"), sizes, seed=number))
    behind.world.processes.stop("cced")  # so that its memory holds nothing of this world's earlier work
    behind.world.start_cced()
    cced = behind.world.processes.children["cced"].pid
    clients = [subprocess.Popen(behind.owner.arguments("--json", "dataset", "upload", dataset, folder, "--threads", "8"),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE) for folder in folders]
    for client in clients:
        _, said = client.communicate(timeout=300)
        assert client.returncode == 0, said.decode()
    peak = peak_memory(cced)
    assert peak <= 256 * MIB, f"cced's peak was {peak / MIB:.0f} MiB"
