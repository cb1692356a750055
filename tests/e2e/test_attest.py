"""`cce attest explain` on real evidence that is refused: rule, source, expected, actual, mend. Needs no world."""

import json
import os
import shutil
import subprocess

import pytest
from vectors import find_vectors

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CCE = os.path.join(os.environ.get("CCE_BUILD") or os.path.join(ROOT, "build"), "bin/cce")
OTHER_CONFIG = "11" * 48

# What is wrong: case of the vectors, further arguments, rule, its source, expected, actual, mend (parts of the texts).
REFUSED = {
    "expired QE identity": (
        "neg_qeid_expired_only", [], "tdx.qe_identity.fresh", "PCS QE identity v2",
        "2025-07-07T09:20:26Z to 2025-08-06T09:20:26Z", "2025-08-20T12:00:00Z", "Fetch the QE identity again"),
    "wrong CRL issuer": (
        "neg_processor_crl", [], "tdx.pck_crl.issuer", "DCAP-QVL 4.1.2.5.7",
        "Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA", "Fetch the CRL of the right CA"),
    "debug TD": (
        "v4_spr_debug_td_trustee__ev15_20230619", [], "tdx.td.debug", "TDX Module ABI, TDATTRIBUTES 7:0",
        "TDATTRIBUTES 7:0 zero", "01000", "Start the TD without the debug attribute"),
    "out-of-date module": (
        "v4_emr_phala_sample__ev20_20260814", [], "policy.tcb_status", "policy tcb_statuses",
        "UpToDate", "OutOfDate", "TDX module SVN is 6, needs 11"),
    "changed MRCONFIGID": (
        "v4_emr_near_20250902__ev17_20250820", ["--mrconfigid", OTHER_CONFIG], "binding.config_id", "caller's binding",
        OTHER_CONFIG, "", "The machine was started with another launch document"),
}


@pytest.fixture(scope="module")
def vectors():
    found = find_vectors(None)
    if found:
        return os.path.join(found, "tdx")
    missing = "the shared attestation vectors are not there (CCE_VECTORS, or beside the checkout)"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def arguments(vectors, folder, name):
    """Evidence, collateral and moment of a case, with its collateral in a folder as a person would gather it."""
    with open(os.path.join(vectors, "cases.json"), encoding="utf-8") as file:
        case = next(case for case in json.load(file)["cases"] if case["name"] == name)
    for part in (case["tcb_info"], case["qe_identity"], case["pck_crl"], case["root_crl"], *case["signing_chain"]):
        shutil.copy(os.path.join(vectors, part), folder)
    return [os.path.join(vectors, case["quote"]), "--collateral", str(folder), "--at", str(case["time"]),
            "--no-report-data"]


def explain(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    return done.stdout


@pytest.mark.parametrize("what", REFUSED)
def test_explain_names_rule_source_values_and_mend(vectors, tmp_path, what):
    case, more, rule, source, expected, actual, mend = REFUSED[what]
    judged = [*arguments(vectors, tmp_path, case), *more]
    failure = json.loads(explain([CCE, "--json", "attest", "explain", *judged]))["first_failure"]
    assert failure["rule"] == rule
    for member, part in (("source", source), ("expected", expected), ("actual", actual), ("mend", mend)):
        assert failure[member] and part in failure[member], failure
    # The tree for people says the same.
    text = explain([CCE, "attest", "explain", *judged])
    block = text[text.index(f"FAIL {rule}: "):]
    for label, member in (("source", "source"), ("expected", "expected"), ("actual", "actual"), ("mend", "mend")):
        line = next(line for line in block.splitlines() if line.split(maxsplit=1)[:1] == [label])
        assert line.split(maxsplit=1)[1] == failure[member]
