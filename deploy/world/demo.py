"""The demo: one job by an honest consumer on real data, its verified result, and four attacks that are refused."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time

from . import attacks
from .processes import Failed
from .scenario import Scenario
from .world import REPOSITORY, World


def heading(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def table(rows):
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"  {name:<{width}}  {text}", flush=True)


def honest_path(scenario):
    heading("The honest path")
    scenario.provider()
    print(f"  dataset  {scenario.dataset}\n  snapshot {scenario.snapshot}", flush=True)
    scenario.rent()
    job = scenario.run_job("fit")
    if job["state"] != "released":
        raise Failed(f"the job ended as {job['state']}:\n{json.dumps(scenario.explain(job['job']), indent=2)}")
    fetched = scenario.fetch(job["job"])
    scenario.verify(fetched["result"], fetched["manifest"])
    heading("Stages")
    table([(s["name"], f"{s['ms']:>6} ms") for s in scenario.stages])
    return job, fetched


def show_result(scenario, fetched):
    heading("The result")
    with open(os.path.join(fetched["folder"], "summary.csv"), encoding="utf-8") as summary:
        for line in summary.read().splitlines():
            print("  " + line.replace(",", "  ", 1))
    print(f"  and {os.path.join(fetched['folder'], 'survival.svg')}")
    heading("The manifest, verified offline")
    print(scenario.consumer.cce("verify", fetched["result"], "--manifest", fetched["manifest"],
                                "--allow-development"))


def check_verification(scenario, fetched):
    """One changed byte in either is refused."""
    for name in ("result", "manifest"):
        copy = fetched[name] + ".changed"
        shutil.copy(fetched[name], copy)
        with open(copy, "r+b") as changed:
            changed.seek(os.path.getsize(copy) // 2)
            byte = changed.read(1)
            changed.seek(-1, os.SEEK_CUR)
            changed.write(bytes([byte[0] ^ 1]))
        files = {**fetched, name: copy}
        scenario.consumer.refused("verify", files["result"], "--manifest", files["manifest"], "--allow-development")
        os.unlink(copy)


def run_attacks(scenario, job):
    heading("Four attacks, and why each was refused")
    refusals = []
    for attack in (attacks.copy_rows, attacks.replay_credential, attacks.unlisted_guest, attacks.flipped_byte):
        refusal = attack(scenario, job)
        refusals.append({"name": refusal["name"], "code": refusal["code"]})
        print(f"\n  {refusal['title']}", flush=True)
        for line in refusal["explained"].rstrip().splitlines():
            print("    " + line, flush=True)
    return refusals


def keep(scenario):
    heading("The world is running. Try:")
    cce = " ".join(str(a) for a in scenario.owner.arguments())
    print(f"  {cce} dataset show {scenario.dataset}\n  {cce} review list {scenario.dataset}\n"
          f"  {cce} job explain {scenario.dataset} {scenario.jobs[-1]}\n  logs: {scenario.world.path('logs')}\n"
          "Ctrl-C ends it.", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


def main():
    parser = argparse.ArgumentParser(prog="./demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the world running and say what to try next")
    parser.add_argument("--json", metavar="FILE", help="write the record of the run")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    results = os.path.join(REPOSITORY, ".cache", "demo-results")
    shutil.rmtree(results, ignore_errors=True)
    os.makedirs(results)
    folder = tempfile.mkdtemp(prefix="cce4long-demo-")
    world = World(folder)
    try:
        heading("A local world: chain, registry, simulated chip, cced, launcher")
        with world:
            scenario = Scenario(world, os.path.join(REPOSITORY, ".cache", "demo"), results)
            scenario.push_images()
            print(f"  cced {world.server}, in {folder}", flush=True)
            job, fetched = honest_path(scenario)
            show_result(scenario, fetched)
            check_verification(scenario, fetched)
            refusals = run_attacks(scenario, job)
            record = {"snapshot_id": scenario.snapshot, "job_id": job["job"],
                      "result_digest": fetched["digest"], "result": fetched["result"],
                      "manifest": fetched["manifest"], "trust": scenario.keep_trust(),
                      "stages": scenario.stages, "refusals": refusals}
            if options.json:
                with open(options.json, "w", encoding="utf-8") as out:
                    json.dump(record, out, indent=2)
            if options.keep:
                keep(scenario)
    except Failed as error:
        print(f"\ndemo: {error}\n\nlogs: {world.path('logs')}", file=sys.stderr)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    heading("Done: one job released and verified, four attacks refused.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
