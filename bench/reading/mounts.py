"""The file systems that a reading bench compares: each shows the same folder, read-only."""

import glob
import json
import os
import subprocess
import time

from deploy.world.processes import Failed, run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = "/usr/share/doc/libfuse3-dev/examples"
START_SECONDS = 60


def program(name):
    """A program of this build, by its full path."""
    return glob.glob(os.path.join(ROOT, "build", "b*", name))[0]


def set_read_ahead(path, kilobytes):
    device = os.stat(path).st_dev
    with open(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb", "w", encoding="ascii") as out:
        out.write(str(kilobytes))


def read_files(folder, *tests):
    """Reads all files below the folder (or those that find's tests select), so that they lie in the page cache."""
    subprocess.run(["find", folder, "-type", "f", *tests, "-exec", "cat", "{}", "+"], check=True, stdout=subprocess.DEVNULL)


def forget(path):
    """Drops a file's pages from the kernel's cache."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def before_others():
    """Lets this process and its children run before whatever else the machine does."""
    try:
        os.setsid()  # a scheduling group of its own
    except PermissionError:
        pass  # it leads one already
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as out:
            out.write("-19")
    except OSError:
        os.nice(-19)


class Folder:
    """The folder itself: no file system between."""

    pid = None
    said = None  # what the daemon prints on standard error: ours is shown

    def __init__(self, name, source):
        self.name, self.path, self.backing = name, source, source

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def cpu(self):
        """CPU seconds that the daemon has used."""
        if self.pid is None:
            return 0.0
        return time.clock_gettime((~self.pid << 3) | 2)  # its process clock: clock_getcpuclockid(3)


class Mount(Folder):
    """A FUSE daemon's mount, made anew by each `with`."""

    def __init__(self, name, backing, mountpoint, read_ahead=None):
        super().__init__(name, backing)
        self.path, self.read_ahead, self.process = mountpoint, read_ahead, None
        os.makedirs(mountpoint, exist_ok=True)

    def command(self):
        raise NotImplementedError

    def __enter__(self):
        self.process = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.said, text=True)
        self.wait()
        if self.read_ahead:
            set_read_ahead(self.path, self.read_ahead)
        return self

    def wait(self):
        self.pid = self.process.pid
        end = time.monotonic() + START_SECONDS
        while not os.path.ismount(self.path):
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed(f"{self.name} did not mount")
            time.sleep(0.005)

    def __exit__(self, *_):
        if self.process is None:
            return
        subprocess.run(["umount", self.path], check=False, stderr=subprocess.DEVNULL)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = self.pid = None


class Sealed(Mount):
    """decrypt-fs over a store that sealed-folder made: the product's settings."""

    def __init__(self, name, store, snapshot, mountpoint, variant="", options=()):
        super().__init__(name, store, mountpoint)
        self.snapshot, self.variant, self.options = snapshot, variant, list(options)

    @classmethod
    def seal(cls, name, source, store, mountpoint, variant="", options=()):
        snapshot = run([program("sealed-folder" + variant), "seal", source, store]).strip()
        return cls(name, store, snapshot, mountpoint, variant, options)

    def command(self):
        return [program("sealed-folder" + self.variant), "mount", self.backing, self.snapshot, self.path,
                "--decrypt-fs", program("decrypt-fs" + self.variant), *self.options]

    def wait(self):
        started, event = (json.loads(self.process.stdout.readline() or "{}") for _ in range(2))
        if event.get("event") != "ready":
            raise Failed(f"{self.name} did not mount: {event or 'it ended'}")
        self.pid = started["pid"]


class Gocryptfs(Mount):
    """Debian's gocryptfs with its own choice of cipher."""

    def __init__(self, name, cipher, mountpoint, password_file, read_ahead=None):
        super().__init__(name, cipher, mountpoint, read_ahead)
        self.password, self.options = password_file, ["-ro"]

    def create(self, source):
        os.makedirs(self.backing)
        # The key's derivation is made cheap: it is paid at each mount, and is not what is measured.
        run(["gocryptfs", "-q", "-init", "-scryptn", "10", "-passfile", self.password, self.backing])
        fill(self, source)

    def command(self):
        return ["gocryptfs", "-q", "-fg", *self.options, "-passfile", self.password, self.backing, self.path]


class Securefs(Mount):
    """Debian's securefs, lite format, its defaults."""

    options = ()
    said = subprocess.DEVNULL

    def create(self, source):
        os.makedirs(self.backing)
        run(["securefs", "create", "--pass", "bench", "--rounds", "1", self.backing])
        fill(self, source)

    def command(self):
        return ["securefs", "mount", "--pass", "bench", *self.options, self.backing, self.path]


class Passthrough(Mount):
    """libfuse's own low-level example, built from the source that Debian packages beside the library. It splices. It
    holds a descriptor for every entry that it has shown, which may be more than a process is allowed: it shows big files.
    """

    said = subprocess.DEVNULL

    def __init__(self, name, source, mountpoint, binary, read_ahead=None):
        super().__init__(name, source, mountpoint, read_ahead)
        self.binary = binary
        flags = run(["pkg-config", "--cflags", "--libs", "fuse3"]).split()
        run(["clang-19", "-O2", "-w", os.path.join(EXAMPLES, "passthrough_ll.c"), *flags, "-o", binary])

    def command(self):
        return [self.binary, "-f", "-o", "max_threads=10", "-o", f"source={self.backing},cache=always,timeout=86400", self.path]


def fill(mount, source):
    """Copies `source` into a file system mounted for writing once."""
    kept, mount.options = mount.options, []
    with mount:
        run(["cp", "-r", os.path.join(source, "."), mount.path])
    mount.options = kept
