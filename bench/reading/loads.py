"""What a reading bench does to a file system, and what it takes."""

import json
import subprocess
import time

from bench.reading.mounts import program
from deploy.world.processes import run, run_json


def sequential(mount, path, readers):
    """GB/s, and CPU seconds per GB of the daemon and of the reader."""
    before = mount.cpu()
    done = run_json([program("read-load"), "sequential", path, readers])
    gigabytes = done["bytes"] / 1e9
    return {"rate": gigabytes / done["seconds"], "daemon_cpu": (mount.cpu() - before) / gigabytes,
            "reader_cpu": done["cpu_seconds"] / gigabytes}


def small_files(mount, paths):
    """Files opened, read and closed a second, and the 99th percentile of one in microseconds."""
    done = run_json([program("read-load"), "small", mount.path, paths])
    with open(paths, encoding="utf-8") as lines:
        count = sum(1 for _ in lines)
    return {"rate": count / done["seconds"], "p99": done["p99_micros"]}


def random_reads(path, size, block, depth, seconds, seed, drop=True, apart=None):
    """fio: buffered reads at random, each block of a job once, `depth` threads with a slice each. Reads a second,
    and the 99th percentile in microseconds. With `drop` the file's pages are dropped first; with `apart` the reads go
    forward instead, each once, and leave that much out between them (60k of each 64k: a sixteenth of the file is read)."""
    share = size // depth
    out = run(["fio", "--name=r", f"--filename={path}", "--readonly", "--rw=" + (f"read:{apart}" if apart else "randread"), f"--bs={block}",
               "--ioengine=psync", "--thread", f"--numjobs={depth}", f"--size={share}", f"--offset_increment={share}",
               f"--runtime={round(seconds * 1000)}ms", f"--randseed={seed}", f"--invalidate={int(drop)}", "--group_reporting",
               "--output-format=json", *([f"--io_size={share >> 4}"] if apart else [])])
    read = json.loads(out[out.index("{"):])["jobs"][0]["read"]
    return {"rate": read["iops"], "p99": read["clat_ns"]["percentile"]["99.000000"] / 1e3}


def timed(command):
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
