"""Processes inside a world's machines, as their host sees them."""

import os
import time

from deploy.world.processes import Failed


def stat_of(pid):
    """A process's name and parent; nothing where it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    return name, int(rest.split()[1])


def descendants(root, name):
    """Process ids below `root` of that name."""
    known = {int(pid): stat for pid in os.listdir("/proc") if pid.isdigit() and (stat := stat_of(pid))}

    def below(pid):
        while pid in known:
            pid = known[pid][1]
            if pid == root:
                return True
        return False

    return [pid for pid, (called, _) in known.items() if called == name and below(pid)]


def of_machines(stage, name, count=1, seconds=20):
    """Process ids of that name in the world's machines; waits until there are `count`."""
    launcher = stage.world.processes.children["cvm-launcher"].pid
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if len(found := descendants(launcher, name)) >= count:
            return found
        time.sleep(0.05)
    raise Failed(f"the machines have no {count} processes {name}")
