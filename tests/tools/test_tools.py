"""Ordinary software reads the mounted data with the same results as the plain folder."""

import hashlib
import os
import random
import subprocess
import threading

import pytest
from sample import SYSTEM_PYTHON, shell

MMAP = """
import hashlib, mmap, random
with open("noise", "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m:
    source = random.Random(3)
    for _ in range(300):
        at = source.randrange(len(m))
        print(hashlib.sha256(m[at:at + source.randrange(200000)]).hexdigest())
    print(m.find(m[9000000:9000016]), hashlib.sha256(m).hexdigest())
"""
PANDAS = """
import pandas
frame = pandas.read_csv("table.csv")
print(frame.groupby("group").agg(["count", "mean", "std"]).to_csv())
print(pandas.read_pickle("table.pickle").equals(frame.astype(pandas.read_pickle("table.pickle").dtypes)), frame.describe().to_csv())
"""
HDF5 = """
import h5py
with h5py.File("array.h5", "r") as f:
    print(f["cube"][7:23, 10:90:3, 5].tobytes().hex(), f["cube"][:].sum(), f["flat"][400_000:400_100], f["flat"][::7].sum())
"""
KERNEL = """
import hashlib, os, socket
size = os.stat("noise").st_size
source = os.open("noise", os.O_RDONLY)
here, there = socket.socketpair()
digest, sent = hashlib.sha256(), 0
while sent < size:
    n = os.sendfile(here.fileno(), source, sent, min(60000, size - sent))
    digest.update(there.recv(n, socket.MSG_WAITALL))
    sent += n
r, w = os.pipe()
done = 0
while n := os.splice(source, w, 60000, offset_src=done):
    digest.update(os.read(r, n))
    done += n
print(digest.hexdigest(), sent, done)
"""
READ_TOOLS = {
    "python mmap": [SYSTEM_PYTHON, "-c", MMAP],
    "pandas": [SYSTEM_PYTHON, "-c", PANDAS],
    "hdf5": [SYSTEM_PYTHON, "-c", HDF5],
    "sendfile and splice": [SYSTEM_PYTHON, "-c", KERNEL],
    "sqlite immutable": ["sqlite3", "file:people.db?immutable=1",
                         "PRAGMA integrity_check; SELECT born, count(*), min(name) FROM person GROUP BY born; "
                         "SELECT * FROM person WHERE born = 1977 ORDER BY name LIMIT 50; SELECT * FROM person WHERE id = 54321"],
    "samtools": ["bash", "-ec", "for i in 1 2 3; do samtools flagstat genome/$i.bam; samtools depth genome/$i.bam; "
                 "samtools view genome/$i.bam 17:100-600; samtools quickcheck genome/$i.bam; done; "
                 "samtools view genome/large.bam | sha256sum; samtools view -T genome/ref.fa genome/1.cram | sha256sum; "
                 "samtools faidx genome/ref.fa 17:500-900"],
    "bcftools": ["bash", "-ec", "bcftools view -H -r 17:200-400 genome/calls.vcf.gz; bcftools stats genome/calls.vcf.gz | "
                 "grep -v '^#'; bcftools query -f '%POS %REF %ALT\\n' genome/calls.vcf.gz"],
    "R": ["Rscript", "-e", 'f <- readRDS("frame.rds"); print(summary(f)); print(sum(f$x)); t <- read.csv("table.csv"); '
          'print(aggregate(value ~ group, t, mean))'],
    "tar": ["bash", "-ec", "tar c --sort=name --owner=0 --group=0 --numeric-owner * | sha256sum"],
    "find and du": ["bash", "-ec", "find . -mindepth 1 -printf '%P %m %T@ %y %l\\n' | sort; find . -type f -printf '%P %s\\n' "
                    "| sort; find many -type f -print0 | du -cb --files0-from=- | tail -n 1"],
    "cp": ["bash", "-ec", 'd=$(mktemp -d); cp -r . "$d"/x; (cd "$d"/x; find . -type f | sort | xargs sha256sum); rm -r "$d"'],
}


@pytest.mark.parametrize("tool", READ_TOOLS)
def test_reads_what_the_plain_folder_gives(tool, plain, mounted):
    def output(folder):
        done = subprocess.run(READ_TOOLS[tool], cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
        return done.stdout
    expected = output(plain)
    assert expected.strip()
    assert output(mounted) == expected


def test_rsync_finds_no_difference(plain, mounted):
    # The top folder itself is no entry of a dataset.
    changes = shell(f"rsync -rlptc --dry-run --itemize-changes --delete {plain}/ {mounted}/", plain).splitlines()
    assert [line for line in changes if not line.endswith(b" ./")] == []


def test_fio_verifies(mounted):
    shell("fio --name=v --filename=verified --readonly --size=24m --rw=randread --bsrange=512-64k --verify=crc32c "
          "--verify_fatal=1", mounted)


def digest(path):
    with open(path, "rb") as source:
        return hashlib.file_digest(source, "sha256").digest()


def test_eight_readers_at_once(plain, mounted):
    """Each reads every file, in an order of its own: 8 times the folder. CCE_READER_SECONDS makes it go on that long."""
    paths = [os.path.join(at, name) for at, _, names in os.walk(plain) for name in names]
    paths = [os.path.relpath(path, plain) for path in paths]
    expected = {path: digest(os.path.join(plain, path)) for path in paths}
    seconds = float(os.environ.get("CCE_READER_SECONDS", "0"))
    wrong = []
    ended = threading.Event()

    def read(seed):
        order = random.Random(seed)
        while True:
            for path in order.sample(paths, len(paths)):
                try:
                    if digest(os.path.join(mounted, path)) != expected[path]:
                        wrong.append(path)
                except OSError as error:
                    wrong.append(f"{path}: {error}")
            if ended.is_set():
                return

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    ended.wait(seconds)
    ended.set()
    for thread in threads:
        thread.join()
    assert not wrong
