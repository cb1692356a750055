"""How fast evidence is verified, on one core: against Google's verifiers for Go, and against the floor.

All programs are pinned to one core and measured in their own CPU time, in interleaved rounds; figures are medians.
Inputs: real quotes and reports of the shared vectors, all accepted.

cold   from the bytes of evidence and collateral (responses as the vendor's service gives them), nothing remembered
warm   from the evidence's bytes; collateral lies in memory and a verifier has seen it (attest::Verifier)
floor  the signature verifications that the path needs, times what one bare verification of each kind takes here with
       OpenSSL (key, context and digest ready). They are counted, by standing in front of OpenSSL's functions. Nothing
       else counts into the floor: no parsing of PEM, DER, JSON or quotes, no hashing, no import of keys.
       cold TDX: PCK, PCK CA, root CRL, PCK CRL, TCB signing certificate, TCB info, QE identity, QE report, quote
       (9 x P-256). warm TDX: QE report, quote (2 x P-256). cold SNP: VEK, ASK, CRL (3 x RSA-4096-PSS), report
       (P-384). warm SNP: report (P-384).
peers  go-tdx-guest (of October 2024, the newest that the module proxy and its checksum database have; it reads no
       version 5 quotes) with collateral and revocation checks on, answered from memory, Intel's root parsed ahead;
       go-sev-guest with its revocation check on, the CRL answered from memory, AMD's ASK and ARK parsed ahead. Both
       with their policy check (validate). What they leave out: go-tdx-guest looks at no issueDate, go-sev-guest at no
       nextUpdate of the CRL. attesting/peers/main.go says what they are asked for.
       Their time, too, is mostly signatures: "the floor itself" says how much faster than they a verifier would be
       that did nothing else. Where that is below a target, no verifier on this machine's OpenSSL can reach it.
"""

import json
import os
import shutil
import statistics
import subprocess
import tempfile

from bench.reading import packages
from tests.vectors import find_vectors

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCH = os.path.join(ROOT, "build/bench/attest-bench")
TDX = {"tdx-v4": "v4_emr_near_20250902__ev17_20250820", "tdx-v5": "v5_td15_svn2_google__ev18_20260202"}
SNP = {"snp-milan": "milan_v3_microsoft"}
# Which the peers' newest releases can read.
PEERS = {"tdx-v4": "go-tdx-guest", "snp-milan": "go-sev-guest"}
SECONDS = 0.25  # of CPU time, for each measurement of a round
# Least share of the floor, as the inverse of "within 1.6 times".
FLOORS = {"tdx/cold": 1 / 1.6, "tdx/warm": 1 / 1.3, "snp/cold": 1 / 1.15, "snp/warm": 1 / 1.15}


def cases_of(folder):
    with open(os.path.join(folder, "cases.json"), encoding="utf-8") as file:
        return {case["name"]: case for case in json.load(file)["cases"]}


def make_manifest(vectors):
    """The cases as both programs read them, with absolute paths."""
    out = {}
    for name, source in TDX.items():
        folder = os.path.join(vectors, "tdx")
        case = cases_of(folder)[source]
        path = lambda part, folder=folder: os.path.join(folder, part)
        root = path("certs/intel_sgx_root_ca.pem")
        out[name] = {"kind": "tdx", "evidence": path(case["quote"]), "time": case["time"],
                     "chain": [path(part) for part in case["signing_chain"]],
                     "pck_crl_chain": [path("certs/pck_platform_ca.pem"), root],
                     **{part: path(case[part]) for part in ("tcb_info", "qe_identity", "pck_crl", "root_crl")}}
    for name, source in SNP.items():
        folder = os.path.join(vectors, "snp")
        case = cases_of(folder)[source]
        out[name] = {"kind": "snp", "time": case["time"],
                     **{ours: os.path.join(folder, case[theirs]) for ours, theirs in
                        (("evidence", "report"), ("vek", "vek"), ("ask", "intermediate"), ("ark", "root"), ("crl", "crl"))}}
    return {"cases": out}


class Program:
    """A program that measures on command, on this process's core."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args[0]} ended at '{line}'")
        return json.loads(answer)

    def rate(self, task):
        answer = self.ask(f"run {task} {SECONDS}")
        return answer["count"] / answer["seconds"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def build_peers(folder):
    """Builds the peers from the Go module proxy with the machine's Go, else Debian's."""
    if not shutil.which("go"):
        packages.install(os.path.join(ROOT, "bench/attesting/packages.txt"))
    program = os.path.join(folder, "attest-peers")
    subprocess.run(["go", "build", "-mod=readonly", "-o", program, "."], check=True,
                   cwd=os.path.join(ROOT, "bench/attesting/peers"))
    return program


def floor_rate(needs, rates):
    """How often a second the bare verifications that a path needs can be made."""
    return 1 / sum(count / rates[kind] for kind, count in needs.items() if count)


def run(rounds):
    vectors = find_vectors(None)
    if not vectors:
        raise SystemExit("the shared attestation vectors are not there: put them beside the checkout, or name CCE_VECTORS")
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", "attest-bench"], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix="cce4long-bench-") as folder:
        manifest = os.path.join(folder, "manifest.json")
        with open(manifest, "w", encoding="utf-8") as file:
            json.dump(make_manifest(vectors), file)
        peers = build_peers(folder)
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        with Program(BENCH, manifest) as ours, Program(peers, manifest) as theirs:
            return measure(ours, theirs, rounds)


def measure(ours, theirs, rounds):
    kinds = ("p256", "p384", "rsa4096")
    tasks = [f"{case}/{state}" for case in (*TDX, *SNP) for state in ("cold", "warm")]
    needs = {task: ours.ask(f"needs {task}") for task in tasks}
    rates = {name: [] for name in (*kinds, *tasks, *PEERS)}
    for _ in range(rounds):
        for name in (*kinds, *tasks):
            rates[name].append(ours.rate(name))
        for name in PEERS:
            rates[name].append(theirs.rate(f"{name}/cold"))
    rates = {name: statistics.median(values) for name, values in rates.items()}
    return rows(tasks, needs, rates, kinds)


def rows(tasks, needs, rates, kinds):
    out = []
    for case, peer in PEERS.items():
        out.append({"name": f"{case}, cold", "unit": "verifications/s", "ours": round(rates[f"{case}/cold"], 1),
                    "peer": round(rates[case], 1), "peer_name": peer, "target": "ratio >= 4"})
        out.append({"name": f"{case}, cold, the floor itself", "unit": "verifications/s",
                    "ours": round(floor_rate(needs[f"{case}/cold"], rates), 1),
                    "peer": round(rates[case], 1), "peer_name": peer})
    for task in tasks:
        case, state = task.split("/")
        needed = " + ".join(f"{count} {kind}" for kind, count in needs[task].items() if count)
        least = FLOORS[f"{case.split('-')[0]}/{state}"]
        out.append({"name": f"{case}, {state}, share of the floor", "unit": "verifications/s",
                    "ours": round(rates[task], 1), "peer": round(floor_rate(needs[task], rates), 1),
                    "peer_name": f"floor: {needed}", "target": f"ratio >= {least:.3f}"})
    out += [{"name": f"bare verification, {kind}", "unit": "verifications/s", "ours": round(rates[kind], 1)}
            for kind in kinds]
    return out
