"""How fast the engine starts a job: its own share (credential to the container's first instruction, less pulling
and unpacking), and sixteen at once."""

import shutil
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from deploy.world.processes import Failed
from deploy.world.scenario import Scenario
from deploy.world.tiny_image import build_tiny_images
from deploy.world.world import World, write

AT_ONCE = 16


def own_share(stages):
    """Milliseconds of credential, cvm, attest, keys, mount and container: what is not pulled or computed."""
    counted = {"credential", "cvm", "attest", "keys", "mount", "container"}
    return sum(s["millis"] for s in stages if s["name"] in counted)


def run(rounds):
    folder = tempfile.mkdtemp(prefix="cce4long-bench-")
    try:
        with World(folder, settings={"tick_millis": 100, "max_running": 64}) as world:
            scenario = Scenario(world, folder)
            write(world.path("data", "table.csv"), "id,value\n" + "".join(f"{i},{i * i}\n" for i in range(500)))
            build_tiny_images(world.path("tiny"), {"count": "cat /data/*/table.csv | wc -l > /output/rows.txt"})
            scenario.push_image("count", world.path("tiny"))
            scenario.provider(world.path("data"))
            scenario.rent()
            shares = []
            for _ in range(rounds):
                job = scenario.submit("count")
                if scenario.follow(job)["state"] != "released":
                    raise Failed(f"job {job} was not released")
                shares.append(own_share(scenario.explain(job)["stages"]))
            began = time.monotonic()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                jobs = list(pool.map(lambda _: scenario.submit("count"), range(AT_ONCE)))
                states = list(pool.map(lambda job: scenario.follow(job)["state"], jobs))
            elapsed = time.monotonic() - began
            released = states.count("released")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [
        {"name": "own share of a job's start, median", "unit": "ms", "ours": statistics.median(shares),
         "target": "ours <= 300"},
        {"name": "own share of a job's start, worst", "unit": "ms", "ours": max(shares)},
        {"name": f"{AT_ONCE} jobs at once: started and ended", "unit": "jobs/s", "ours": round(AT_ONCE / elapsed, 2)},
        {"name": f"{AT_ONCE} jobs at once: released", "unit": "jobs", "ours": released,
         "target": f"ours >= {AT_ONCE}"},
    ]
