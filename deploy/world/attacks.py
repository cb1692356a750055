"""The demo's four attacks. Each gives its name, the code of its refusal (of a held output the decision), and the refusal as the
dataset's owner sees it."""

import json
import ssl
import time
import urllib.error
import urllib.request

from .processes import Failed


def explained_refusal(scenario, job, step):
    """The last refusal of a step, from the owner's explanation."""
    refusals = [r for r in scenario.explain(job)["refusals"] if r["step"] == step]
    if not refusals:
        raise Failed(f"job {job} has no refusal of {step}: {json.dumps(scenario.explain(job), indent=1)}")
    return refusals[-1]


def text_of(refusal):
    lines = [f"{refusal['code']}: {refusal['message']}"]
    lines += [f"  {label} {refusal[label]}" for label in ("expected", "found", "detail", "next") if refusal[label]]
    return "\n".join(lines)


def copy_rows(scenario, _):
    """A container that copies patients' rows to its output: held by the gate, rejected by the owner."""
    job = scenario.submit("leak")
    scenario.follow(job, until=("reviewing",))
    listed = wait_for_review(scenario, job)
    explained = scenario.explain_text(job)
    scenario.owner.cce("review", "reject", scenario.dataset, job, "--reason", "it holds patients' rows")
    status = scenario.follow(job)
    if status["state"] != "rejected":
        raise Failed(f"the leak ended as {status['state']}")
    return {"name": "copied rows", "title": "A container copies patients' rows to its output",
            "code": "needs_human", "explained": explained, "report": listed}


def wait_for_review(scenario, job, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        explained = scenario.explain(job)
        if explained["waits_for_decision"]:
            return explained
        if explained["state"] not in ("queued", "running", "reviewing"):
            raise Failed(f"job {job} did not wait for a person: {explained['state']}")
        time.sleep(0.1)
    raise Failed(f"job {job} does not wait for a decision")


def post(scenario, path, body):
    """What a CVM would send, sent by the host: status and answer. The host has no pin to keep."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    request = urllib.request.Request(scenario.world.server + path, json.dumps(body).encode(),
                                     {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def replay_credential(scenario, job):
    """The host takes the finished job's credential from the launch document and asks for the keys again."""
    credential = scenario.credentials[job["job"]]
    if credential is None:
        raise Failed("the host did not see the launch document")
    status, answer = post(scenario, "/v1/cvm/keys", {
        "credential": credential, "challenge": "00" * 32, "request_id": "00" * 16,
        "public_key": "04" + "11" * 64, "suite": "hpke-p256-sha256-aes256gcm", "evidence": "AAAA"})
    if status < 400:
        raise Failed("a replayed credential was accepted")
    refusal = explained_refusal(scenario, job["job"], "keys")
    if refusal["code"] != answer["code"]:
        raise Failed(f"the CVM was told {answer['code']}, the owner {refusal['code']}")
    return {"name": "replayed credential", "title": "The host replays a used Job Credential",
            "code": refusal["code"], "explained": text_of(refusal)}


def broken_job(scenario, attack, step, name, title):
    """A job that must fail under an attack, and why its owner is told that it did."""
    with attack:
        job = scenario.submit("fit")
        status = scenario.follow(job)
    if status["state"] != "failed":
        raise Failed(f"{name}: the job ended as {status['state']}")
    refusal = explained_refusal(scenario, job, step)
    return {"name": name, "title": title, "code": refusal["code"], "explained": text_of(refusal)}


def unlisted_guest(scenario, _):
    """The host starts another guest than the owner listed: here one with another decrypt-fs."""
    return broken_job(scenario, scenario.other_guest(), "keys", "unlisted guest",
                      "The host starts a guest that the owner's policy does not list")


def flipped_byte(scenario, _):
    """The storage host flips one byte of a ciphertext object."""
    return broken_job(scenario, scenario.damaged_store(), "machine", "flipped ciphertext byte",
                      "The storage host flips one byte of the ciphertext")
