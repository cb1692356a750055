"""The local world itself: what it started does not outlive it. Needs none of the programs."""

import os
import signal
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SMALL_WORLD = """
import signal, sys
from deploy.world.world import World

class Small(World):
    def start(self):
        print(self.processes.start("sleeper", ["sleep", "600"]).pid, flush=True)
        if sys.argv[2] == "starting":
            signal.pause()
        return self

with Small(sys.argv[1]):
    signal.pause()
"""


def ended(pid):
    try:
        os.kill(pid, 0)
        return False
    except ProcessLookupError:
        return True


def end_small_world(folder, when):
    """A world's program that is sent SIGTERM while it starts, or later: its exit code, and its child's pid."""
    with subprocess.Popen([sys.executable, "-c", SMALL_WORLD, folder, when], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
        child = int(program.stdout.readline())
        assert not ended(child)
        program.send_signal(signal.SIGTERM)
        return program.wait(30), child


def test_sigterm_ends_what_the_world_started(tmp_path):
    for when in ("starting", "running"):
        code, child = end_small_world(str(tmp_path / when), when)
        assert code != 0
        assert ended(child), when


def test_the_handler_of_before_comes_back(tmp_path):
    code = "import signal; from deploy.world.world import World; World.start = lambda self: self\n" \
           "with World(__import__('sys').argv[1]): assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL\n" \
           "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True)
