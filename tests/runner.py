"""Runs the tests that ./test names and counts them in one closing line."""

import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import time

import fuzz_seeds
from vectors import find_vectors

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")
# Test programs that drive real parts (a chain, containers, mounts): run one at a time.
INTEGRATION = ("chain_anvil_test", "executor_container_test", "decrypt_fs_test", "host_launcher_test",
               "host_machine_test", "sim_test", "store_juicefs_test", "tee_agent_job_test")
# Parts whose unit tests parse hostile bytes: built and run under ASan and UBSan, too.
SANITIZED = ("base", "crypto", "attest", "collateral", "dataset", "gate", "tlog", "protocol", "manifest")


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add(self, name, passed, failed, skipped=0, output=""):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        if failed:
            self.failures.append(name)
            print(f"--- {name} failed\n{output[-6000:]}", flush=True)


def say(text):
    print(f"==> {text}", flush=True)


def shell(args, **options):
    return subprocess.run([str(a) for a in args], cwd=ROOT, text=True, check=False, **options)


def captured(args, timeout, env=None):
    try:
        done = shell(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, env=env)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        return -1, (late.stdout or b"").decode(errors="replace") + f"\nended after {timeout} s\n"


def build(preset, targets=(), niceness=0):
    say(f"build ({preset})")
    started = time.monotonic()
    for command in (["cmake", "--preset", preset], ["cmake", "--build", "--preset", preset, "--", *targets]):
        code, output = captured(["nice", "-n", niceness, *command], 3600)
        if code != 0:
            print(output[-8000:])
            sys.exit("the build failed")
    say(f"built in {time.monotonic() - started:.0f} s")


def run_gtest(count, binary, environment):
    name = os.path.relpath(binary, ROOT)
    code, output = captured([binary, "--gtest_brief=1"], 600, environment)
    passed = sum(map(int, re.findall(r"\[  PASSED  \] (\d+) test", output)))
    failed = sum(map(int, re.findall(r"\[  FAILED  \] (\d+) test", output)))
    skipped = sum(map(int, re.findall(r"\[  SKIPPED \] (\d+) test", output)))
    if code != 0 and failed == 0:
        failed = 1
    if skipped and os.environ.get("CI") == "true":
        failed += skipped
        output += f"\n{skipped} test(s) skipped: in CI nothing is\n"
    count.add(name, passed, failed, skipped, output)


def environment(vectors):
    env = dict(os.environ)
    if vectors:
        env["CCE_VECTORS"] = vectors
    return env


def gtests(folder, integration):
    binaries = sorted(glob.glob(os.path.join(folder, "tests", "*_test")))
    return [b for b in binaries if (os.path.basename(b) in INTEGRATION) == integration]


def unit(count, vectors):
    say("unit tests")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda b: run_gtest(count, b, environment(vectors)), gtests(BUILD, False)))
    attestation_vectors(count, vectors)


def attestation_vectors(count, vectors):
    if not vectors:
        if os.environ.get("CI") == "true":
            count.add("attest-vectors", 0, 1, output="the shared attestation vectors are not there")
        else:
            say("the shared attestation vectors are not there: their cases are left out")
        return
    code, output = captured([os.path.join(BUILD, "bin/attest-vectors"), vectors], 600)
    cases = re.search(r"(\d+) cases, (\d+) as expected", output)
    total, good = map(int, cases.groups()) if cases else (1, 0)
    count.add("attest-vectors", good, total - good if code != 0 or total != good else 0, output=output)


def mutate(count, vectors):
    """Each mutation of accepted vectors is refused, with no finding of the sanitizers: half an hour on one core."""
    if not vectors:
        return count.add("attest-vectors --mutate", 0, 1, output="the shared attestation vectors are not there")
    build("sanitize", ["attest-vectors"])
    say("mutations of accepted evidence and collateral under ASan and UBSan")
    code, output = captured([os.path.join(BUILD, "sanitize/bin/attest-vectors"), vectors, "--mutate"], 4 * 3600)
    print(output[-4000:])
    figures = re.search(r"(\d+) mutations, (\d+) refused", output)
    good = code == 0 and figures is not None and figures.group(1) == figures.group(2)
    count.add("attest-vectors --mutate", int(good), int(not good), output=output)


def build_sanitized(niceness=0):
    build("sanitize", [*(f"{part}_test" for part in SANITIZED), "fuzz_replay"], niceness)


def sanitize(count, vectors):
    say("parsers under ASan and UBSan")
    for part in SANITIZED:
        run_gtest(count, os.path.join(BUILD, "sanitize/tests", part + "_test"), environment(vectors))


def integration(count, vectors):
    say("integration tests")
    for binary in gtests(BUILD, True):
        run_gtest(count, binary, environment(vectors))


def pytest(count, folder, title, arguments):
    say(title)
    stop_early = ["-x"] if os.environ.get("CI") else []
    code, output = captured([sys.executable, "-m", "pytest", "-q", *stop_early, folder, *arguments], 1800)
    print(output[-12000:])
    number = lambda word: sum(map(int, re.findall(rf"(\d+) {word}", output.splitlines()[-1] if output else "")))
    passed, failed, skipped = number("passed"), number("failed") + number("error"), number("skipped")
    if code != 0 and not failed:
        failed = 1
    count.add(folder, passed, failed, skipped)


def lint(count, everything):
    say("lint")
    code, output = captured([sys.executable, "tests/lint.py", *(["--all"] if everything else [])], 3600)
    print(output)
    count.add("lint", 1 if code == 0 else 0, 0 if code == 0 else 1)


def fuzz(seconds, vectors, only):
    build("release", ["tsm-sim"])
    build("fuzz")
    seeds = os.path.join(BUILD, "fuzz/seeds")
    fuzz_seeds.write_seeds(os.path.join(BUILD, "bin/tsm-sim"), seeds, vectors)
    for target in sorted(glob.glob(os.path.join(BUILD, "fuzz/bin/fuzz_*"))):
        name = os.path.basename(target)
        if only and name not in only:
            continue
        say(name)
        corpus = os.path.join(BUILD, "fuzz/corpus", name)
        os.makedirs(corpus, exist_ok=True)
        if shell([target, f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=20", corpus,
                  *fuzz_seeds.folders_of(name, seeds, vectors)]).returncode:
            sys.exit(f"{target} found something")


def replay(count):
    """The fuzz targets' kept inputs and fresh ones of the simulated chip, once each, under ASan and UBSan."""
    say("fuzz targets: kept inputs and the simulated chip's")
    seeds = os.path.join(BUILD, "sanitize/seeds")
    fuzz_seeds.write_seeds(os.path.join(BUILD, "bin/tsm-sim"), seeds)
    for target in sorted(glob.glob(os.path.join(BUILD, "sanitize/replay/fuzz_*"))):
        folders = fuzz_seeds.folders_of(os.path.basename(target), seeds)
        if not folders:
            continue
        code, output = captured([target, *folders], 300)
        count.add(os.path.relpath(target, ROOT), int(code == 0), int(code != 0), output=output)


def run(kind, count, vectors, rest):
    if kind in ("all", "lint"):
        lint(count, kind == "lint")
    if kind in ("all", "unit"):
        unit(count, vectors)
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        # End-to-end tests mostly wait: the second build takes the time that they leave.
        sanitized = beside.submit(build_sanitized, 19 if kind == "all" else 0) if kind in ("all", "sanitize") else None
        if kind in ("all", "integration"):
            integration(count, vectors)
        if kind in ("all", "e2e"):
            pytest(count, "tests/e2e", "end-to-end tests", rest)
        if sanitized:
            sanitized.result()
            sanitize(count, vectors)
            replay(count)
    if kind == "tools":
        pytest(count, "tests/tools", "ordinary software on a mounted dataset", rest)
    if kind == "vm":
        pytest(count, "tests/vm", "programs of a CVM in a virtual machine", rest)


def main():
    parser = argparse.ArgumentParser(prog="./test")
    parser.add_argument("kind", nargs="?", default="all",
                        choices=["all", "unit", "integration", "e2e", "sanitize", "mutate", "lint", "fuzz", "vm", "tools",
                                 "soak"])
    parser.add_argument("--vectors", help="folder of the shared attestation vectors")
    parser.add_argument("--seconds", type=int, default=60, help="of each fuzz target")
    options, rest = parser.parse_known_args()
    vectors = find_vectors(options.vectors)
    if vectors:
        os.environ["CCE_VECTORS"] = vectors  # for the end-to-end tests
    started = time.monotonic()
    if options.kind == "fuzz":
        return fuzz(options.seconds, vectors, rest)
    if options.kind == "soak":
        build("release")
        return shell([sys.executable, "tests/soak.py", *rest]).returncode
    count = Count()
    if options.kind == "mutate":
        mutate(count, vectors)
    else:
        build("release")
        run(options.kind, count, vectors, rest)
    if count.failures:
        say("failed: " + ", ".join(count.failures))
    say(f"took {time.monotonic() - started:.0f} s")
    skipped = f", {count.skipped} skipped" if count.skipped else ""
    print(f"{count.passed} passed, {count.failed} failed{skipped}")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
