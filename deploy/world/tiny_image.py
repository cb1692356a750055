"""Container images of one program (busybox), for tests: built in a second, pulled and run in less.

Every image is an OCI layout's tag; its own command is a shell script.
"""

import os
import shutil

from .processes import Failed, run

TOOLS = ("sh", "awk", "cat", "cp", "cut", "dd", "echo", "env", "false", "head", "ls", "mkdir", "printf", "sleep", "sort",
         "tail", "touch", "true", "uniq", "wc")


def build_tiny_images(layout, scripts):
    """Makes the OCI layout anew, with one image for each of `scripts`: {tag: shell script}."""
    busybox = shutil.which("busybox", path="/usr/bin:/bin")
    if busybox is None:
        raise Failed("busybox is not installed")
    shutil.rmtree(layout, ignore_errors=True)
    run(["umoci", "init", "--layout", layout])
    root = layout + ".root"
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(os.path.join(root, "bin"))
    os.makedirs(os.path.join(root, "etc"))
    shutil.copy(busybox, os.path.join(root, "bin", "busybox"))
    for tool in TOOLS:
        os.symlink("busybox", os.path.join(root, "bin", tool))
    with open(os.path.join(root, "etc", "passwd"), "w", encoding="utf-8") as users:
        users.write("root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")
    base = layout + ":base"
    run(["umoci", "new", "--image", base])
    run(["umoci", "insert", "--image", base, root, "/"])
    for tag, script in scripts.items():
        run(["umoci", "config", "--image", base, "--tag", tag, "--config.cmd", "sh", "--config.cmd", "-c",
             "--config.cmd", script, "--config.env", "PATH=/bin", "--config.user", "user",
             "--config.workingdir", "/tmp", "--architecture", "amd64", "--os", "linux"])
    shutil.rmtree(root)
