"""How fast decrypt-fs reads, beside gocryptfs, securefs, the plain folder, a FUSE file system that only passes through,
and decrypt-fs itself: with a copy in the cipher's place, and with the file prefetched into its memory.
All show the same data in one run. Each round takes every file system in turn; a figure is the median of the rounds.
decrypt-fs runs with the settings that it ships with, the same for every row. gocryptfs counts at its best: with the
kernel's default read-ahead or with the one found best for it before the rounds begin.

Stores lie in the page cache, so no disk is measured. Before a file is read, its pages in the mount are dropped, right
after they were filled once: memory touched for the first time is dear on a virtual machine, and would be what is
measured. "cold" means: just mounted. decrypt-fs gives the kernel each chunk that it decrypts whole, so of the random
reads of 4 KiB those near an earlier one need no request; the row "4 KiB of every 64 KiB" shows the others alone.
"""

import os
import random
import shutil
import statistics
import sys
import tempfile

from bench.reading import loads
from bench.reading.mounts import (Folder, Gocryptfs, Mount, Passthrough, Sealed, Securefs, before_others,
                                  forget, read_files, set_read_ahead)
from bench.reading.packages import install
from deploy.world.processes import run as run_program

BIG = 1 << 30
SMALL = 4096
FOLDERS, FILES_IN_EACH = 50, 400
FILES = FOLDERS * FILES_IN_EACH
FIO_SECONDS = 1.5
READ_AHEADS = (256, 512, 1024)  # KiB, tried for gocryptfs

PREFETCHED = "decrypt-fs, prefetch"
OURS, NULL, PLAIN, THROUGH, SECUREFS = "decrypt-fs", "decrypt-fs, copying", "plain folder", "passthrough_ll", "securefs"
GOCRYPTFS = "gocryptfs"

# metric: row's name, unit, whether more is better, target of ours against gocryptfs
ROWS = {
    "sequential": ("sequential, 1 reader", "GB/s", True, "ratio >= 1.5"),
    "two": ("sequential, 2 readers", "GB/s", True, "ratio >= 1.9"),
    "hot": ("sequential, read again", "GB/s", True, "ratio >= 4"),
    "random_4k_1": ("random 4 KiB, depth 1", "1/s", True, "ratio >= 1.15"),
    "random_4k_8": ("random 4 KiB, depth 8", "1/s", True, "ratio >= 1.15"),
    "random_4k_apart": ("4 KiB of every 64 KiB, depth 1", "1/s", True, None),
    "random_64k_1": ("random 64 KiB, depth 1", "1/s", True, None),
    "p99_4k_1": ("random 4 KiB, depth 1, p99", "us", False, None),
    "p99_4k_8": ("random 4 KiB, depth 8, p99", "us", False, None),
    "p99_64k_1": ("random 64 KiB, depth 1, p99", "us", False, None),
    "small": (f"{FILES} files of 4 KiB, in order", "files/s", True, "ratio >= 3"),
    "p99_small": (f"{FILES} files of 4 KiB, in order, p99", "us", False, None),
    "small_shuffled": (f"{FILES} files of 4 KiB, shuffled", "files/s", True, None),
    "find": ("find, cold", "files/s", True, None),
    "du": ("du, cold", "files/s", True, None),
    "find_du": ("find and du, each cold, together", "files/s", True, "ratio >= 1"),
    "find_again": ("find, again", "files/s", True, None),
    "du_again": ("du, again", "files/s", True, "ratio >= 4"),
    "daemon_cpu": ("daemon's CPU, sequential", "s/GB", False, "ratio <= 0.55"),
    "reader_cpu": ("reader's CPU, sequential", "s/GB", False, None),
}
WITHOUT_CRYPTO = {"sequential": "ratio >= 0.8"}
SHOWN_AGAINST_OTHERS = ("sequential", "two", "hot", "random_4k_1", "random_4k_8", "small", "find_du", "du_again", "daemon_cpu")


def note(text):
    print(f"decryptfs: {text}", file=sys.stderr, flush=True)


def make_data(folder):
    """One big file, and small ones in folders: bytes that do not compress."""
    source = random.Random(1)
    os.makedirs(os.path.join(folder, "tree"))
    with open(os.path.join(folder, "big"), "wb") as out:
        for _ in range(BIG >> 24):
            out.write(source.randbytes(1 << 24))
    for i in range(FOLDERS):
        os.mkdir(os.path.join(folder, "tree", f"folder{i:02}"))
        for j in range(FILES_IN_EACH):
            with open(os.path.join(folder, "tree", f"folder{i:02}", f"file{j:03}"), "wb") as out:
                out.write(source.randbytes(SMALL))


def write_lists(work):
    """The small files' paths, in order and shuffled."""
    paths = [f"tree/folder{i:02}/file{j:03}" for i in range(FOLDERS) for j in range(FILES_IN_EACH)]
    lists = {}
    for name in ("small", "small_shuffled"):
        lists[name] = os.path.join(work, name)
        with open(lists[name], "w", encoding="utf-8") as out:
            out.write("\n".join(paths) + "\n")
        random.Random(2).shuffle(paths)
    return lists


def fresh_file(mount):
    """The big file with its store warm and its own pages just given back."""
    path = os.path.join(mount.path, "big")
    if isinstance(mount, Mount):
        loads.sequential(mount, path, 1)
        forget(path)
        read_files(mount.backing, "-size", "+1M")
    return path


def measure_big(mount, seed):
    out = {}
    path = fresh_file(mount)
    first = loads.sequential(mount, path, 1)
    out["sequential"], out["daemon_cpu"], out["reader_cpu"] = first["rate"], first["daemon_cpu"], first["reader_cpu"]
    out["hot"] = loads.sequential(mount, path, 1)["rate"]
    out["two"] = loads.sequential(mount, fresh_file(mount), 2)["rate"]
    for block, depth in (("4k", 1), ("4k", 8), ("64k", 1)):
        done = loads.random_reads(path, BIG, block, depth, FIO_SECONDS, seed, drop=isinstance(mount, Mount))
        out[f"random_{block}_{depth}"], out[f"p99_{block}_{depth}"] = done["rate"], done["p99"]
    out["random_4k_apart"] = loads.random_reads(path, BIG, "4k", 1, FIO_SECONDS, seed, isinstance(mount, Mount), "60k")["rate"]
    return out


def measure_small(mount, lists):
    """Each of them on a mount just made."""
    out = {}
    tree = os.path.join(mount.path, "tree")
    with mount:
        find = loads.timed(["find", tree])
        out["find_again"] = FILES / loads.timed(["find", tree])
    with mount:
        du = loads.timed(["du", "-s", tree])
        out["du_again"] = FILES / loads.timed(["du", "-s", tree])
    out["find"], out["du"], out["find_du"] = FILES / find, FILES / du, FILES / (find + du)
    for name, paths in lists.items():
        with mount:
            done = loads.small_files(mount, paths)
        out[name] = done["rate"]
        if name == "small":
            out["p99_small"] = done["p99"]
    return out


def best_read_ahead(gocryptfs):
    with gocryptfs as mount:
        rates = {}
        for kilobytes in READ_AHEADS:
            set_read_ahead(mount.path, kilobytes)
            rates[kilobytes] = statistics.median(loads.sequential(mount, fresh_file(mount), 1)["rate"] for _ in range(3))
    return max(rates, key=rates.get)


def prepare(work):
    """Everything that is compared."""
    at = lambda *parts: os.path.join(work, *parts)
    make_data(at("plain"))
    password = at("password")
    with open(password, "w", encoding="ascii") as out:
        out.write("bench\n")
    note("sealing")
    systems = [Folder(PLAIN, at("plain")),
               Sealed.seal(OURS, at("plain"), at("store"), at("mnt-ours")),
               Sealed.seal(NULL, at("plain"), at("store-null"), at("mnt-null"), variant="-null"),
               Sealed.seal(PREFETCHED, at("plain"), at("store-prefetch"), at("mnt-prefetch"),
                           options=["--prefetch", "big", "--prefetch-max-bytes", str(2 * BIG)]),
               Passthrough(THROUGH, at("plain"), at("mnt-through"), at("passthrough_ll"), read_ahead=1024)]
    note("filling gocryptfs and securefs")
    gocryptfs = Gocryptfs(GOCRYPTFS, at("gocryptfs"), at("mnt-gocryptfs"), password)
    gocryptfs.create(at("plain"))
    securefs = Securefs(SECUREFS, at("securefs"), at("mnt-securefs"), read_ahead=1024)
    securefs.create(at("plain"))
    ahead = best_read_ahead(gocryptfs)
    note(f"gocryptfs reads best with a read-ahead of {ahead} KiB")
    tuned = Gocryptfs(f"{GOCRYPTFS}, {ahead} KiB ahead", at("gocryptfs"), at("mnt-gocryptfs-tuned"), password, ahead)
    return [*systems, gocryptfs, tuned, securefs]


def measure(systems, rounds, lists):
    """system -> metric -> the figures of all rounds."""
    figures = {system.name: {metric: [] for metric in ROWS} for system in systems}
    for number in range(rounds):
        note(f"round {number + 1} of {rounds}")
        turn = number % len(systems)
        for system in systems[turn:] + systems[:turn]:
            read_files(system.backing)
            with system:
                done = measure_big(system, number + 1)
            if system.name not in (THROUGH, PREFETCHED):
                done |= measure_small(system, lists)
            for metric, value in done.items():
                figures[system.name][metric].append(value)
    return {name: {metric: statistics.median(values) for metric, values in metrics.items() if values}
            for name, metrics in figures.items()}


def rows_of(figures):
    ours = figures[OURS]
    rows = []
    for metric, (title, unit, more, target) in ROWS.items():
        better = max if more else min
        name, peer = better(((n, f[metric]) for n, f in figures.items() if n.startswith(GOCRYPTFS)), key=lambda x: x[1])
        rows.append({"name": title, "unit": unit, "ours": ours[metric], "peer": peer, "peer_name": name, "target": target})
    for name in (NULL, PREFETCHED, THROUGH, SECUREFS, PLAIN):
        for metric in SHOWN_AGAINST_OTHERS:
            if metric not in figures[name]:
                continue
            title, unit, _, _ = ROWS[metric]
            rows.append({"name": title, "unit": unit, "ours": ours[metric], "peer": figures[name][metric],
                         "peer_name": name, "target": WITHOUT_CRYPTO.get(metric) if name == NULL else None})
    return rows


def run(rounds):
    install(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reading", "packages.txt"))
    before_others()
    work = tempfile.mkdtemp(prefix="cce4long-bench-")
    try:
        systems = prepare(work)
        run_program(["sync"])
        return rows_of(measure(systems, rounds, write_lists(work)))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def run_over_juicefs(rounds):
    from bench.reading import juicefs
    run_program([os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "deploy", "install"), "--store"])
    install(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reading", "packages.txt"))
    return juicefs.rows(rounds)
