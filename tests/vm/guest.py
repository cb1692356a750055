"""A virtual machine as a CVM will be one: a Debian kernel, an initramfs with our own programs, no network card, and
one virtio-serial port. Software emulation, so that it runs on every machine."""

import os
import re
import shutil
import socket
import subprocess
import tempfile

from deploy.world.processes import Failed, run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(ROOT, ".cache", "vm")
# The guest's kernel has its virtio drivers and FUSE built in: no module is needed.
KERNEL_SUITE, KERNEL_PACKAGE = "trixie", "linux-image-cloud-amd64"
# QEMU 7.2 of Debian 12 crashes that kernel now and then; the backport does not.
QEMU_SUITE, QEMU_PACKAGE = "bookworm-backports", "qemu-system-x86"
TOOLS = ["cpio", "busybox-static"]
PORT = "cvm.stream"

INIT = """#!/bin/busybox sh
export PATH=/bin LD_LIBRARY_PATH=/lib
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /run
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
chmod 1777 /tmp
ip link set lo up
echo "net $(ls /sys/class/net | tr '\\n' ' ')"
echo "kernel $(uname -r)"
vm_probe < /dev/null; echo "exit vm_probe $?"
while read -r test filter; do
  "BUILD/tests/$test" --gtest_color=no "--gtest_filter=$filter" < /dev/null; echo "exit $test $?"
done < /tests
echo "done"
poweroff -f
"""


def mirror():
    """Where this machine gets Debian from."""
    for line in run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"]).splitlines():
        uri, codename = line.split()
        if codename == "bookworm":
            return uri
    raise Failed("no suite bookworm among apt's sources; run apt-get update first")


def apt(suites, own_state):
    """Options of apt for these suites, which leave the machine's own sources as they are."""
    folder = os.path.join(CACHE, "apt-" + suites[-1])
    for part in ("lists/partial", "archives/partial", "state"):
        os.makedirs(os.path.join(folder, part), exist_ok=True)
    sources = os.path.join(folder, "sources.list")
    with open(sources, "w", encoding="utf-8") as out:
        for suite in suites:
            out.write(f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror()} {suite} main\n")
    options = {"Dir::Etc::SourceList": sources, "Dir::Etc::SourceParts": "/dev/null",
               "Dir::State::Lists": os.path.join(folder, "lists"), "Dir::Cache::Archives": os.path.join(folder, "archives"),
               "APT::Sandbox::User": "root"}
    if own_state:
        options |= {"Dir::State": os.path.join(folder, "state"), "Dir::State::Status": "/dev/null",
                    "Dir::State::Lists": os.path.join(folder, "lists")}
    return [f"-o{key}={value}" for key, value in options.items()]


def qemu_version():
    if not shutil.which("qemu-system-x86_64"):
        return 0
    found = re.search(r"version (\d+)", run(["qemu-system-x86_64", "--version"]))
    return int(found.group(1)) if found else 0


def prepare():
    """Installs QEMU and fetches the guest's kernel where they are missing; the kernel's path."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    if qemu_version() < 10:
        options = apt(["bookworm", QEMU_SUITE], own_state=False)
        run(["apt-get", *options, "update", "-qq"])
        run(["apt-get", *options, "install", "-y", "-qq", "--no-install-recommends", "-t", QEMU_SUITE, QEMU_PACKAGE],
            env=environment)
    if not shutil.which("cpio"):
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *TOOLS], env=environment)
    kernel = os.path.join(CACHE, "vmlinuz")
    if not os.path.exists(kernel):
        options = apt([KERNEL_SUITE], own_state=True)
        run(["apt-get", *options, "update", "-qq"])
        depends = run(["apt-cache", *options, "depends", KERNEL_PACKAGE])
        package = re.search(r"Depends: (linux-image-\S+)", depends).group(1)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            run(["apt-get", *options, "download", package], cwd=folder)
            run(["dpkg-deb", "-x", *[os.path.join(folder, f) for f in os.listdir(folder) if f.endswith(".deb")], folder])
            boot = os.path.join(folder, "boot")
            found = next(f for f in os.listdir(boot) if f.startswith("vmlinuz-"))
            os.replace(os.path.join(boot, found), kernel)
    return kernel


def libraries(programs):
    """Every shared library that the programs need, by ldd."""
    found = set()
    for program in programs:
        for line in run(["ldd", program]).splitlines():
            path = re.search(r"(/\S+) \(0x", line)
            if path:
                found.add(path.group(1))
    return sorted(found)


def initramfs(build, out, probe, tests, helpers):
    """Packs busybox, the probe, the test programs (name: filter), what they start, and their libraries."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        def put(source, target):
            path = os.path.join(folder, target)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.copy(os.path.realpath(source), path)
        put("/bin/busybox", "bin/busybox")
        put(os.path.join(build, probe), "bin/" + os.path.basename(probe))
        programs = [os.path.join(build, p) for p in [probe, *helpers, *("tests/" + t for t in tests)]]
        for program in programs[1:]:
            put(program, program.lstrip("/"))  # where the tests were built to find it
        for library in libraries(programs):
            put(library, library.lstrip("/") if "ld-linux" in library else "lib/" + os.path.basename(library))
        with open(os.path.join(folder, "tests"), "w", encoding="utf-8") as listed:
            listed.writelines(f"{name} {tests[name]}\n" for name in tests)
        init = os.path.join(folder, "init")
        with open(init, "w", encoding="utf-8") as script:
            script.write(INIT.replace("BUILD", build))
        os.chmod(init, 0o755)
        with open(out, "wb") as archive:
            names = subprocess.run("find . -mindepth 1 -printf '%P\\0' | LC_ALL=C sort -z", shell=True, cwd=folder,
                                   capture_output=True, check=True).stdout
            subprocess.run(["cpio", "--null", "-o", "-H", "newc", "--owner=0:0", "--quiet"], input=names, cwd=folder,
                           stdout=archive, check=True)
    return out


def boot(kernel, initrd):
    """Starts the machine; its process and our end of its stream. Console output comes on the process's stdout."""
    ours, theirs = socket.socketpair()
    with theirs:
        machine = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-smp", "1", "-m", "1024",
             "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-kernel", kernel, "-initrd", initrd,
             "-append", "console=ttyS0 quiet panic=-1", "-serial", "stdio",
             "-device", "virtio-serial-pci,id=vs0",
             "-chardev", f"socket,id=stream,fd={theirs.fileno()}",
             "-device", f"virtserialport,bus=vs0.0,chardev=stream,name={PORT}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            pass_fds=[theirs.fileno()])
    return machine, ours
