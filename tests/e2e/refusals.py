"""The table of refusals: one row for each way in which something must not work.

A row names its group, what is tried, how (a function of the stage), the error code that must come, for jobs the outcome
that the consumer may learn, and what must not have changed. test_refusals.py runs every row; docs/errors.md says which
codes are shown here.

A function gives a Seen: the code as the one who tried it was told (or, for a job, as the dataset's owner sees it), and
the job, where there is one. It may call stage.mark() after preparations, and stage.note() before it tidies up: what must
not change is compared between the two.
"""

import collections
import contextlib
import json
import os
import time

from wire import Refused, credential_with, job_resource

Row = collections.namedtuple("Row", "group name provoke code outcome unchanged")
Seen = collections.namedtuple("Seen", "code job told", defaults=(None, None))

ROWS = []

# What must not have changed, by name: compared before and after (test_refusals.py).
JOURNAL = "nothing is written to the journal"
REFUSALS = "the journal grows by refusals alone"
SNAPSHOTS = "the snapshots are the same"
POLICY = "the policy in force is the same"
JOBS = "there is no new job"
NO_KEYS = "no key has left"
NO_RESULT = "the consumer gets no result"


def row(group, name, code, *, outcome="", unchanged=()):
    """Adds the function below it to the table."""
    def add(provoke):
        ROWS.append(Row(group, name, provoke, code, outcome, tuple(unchanged)))
        return provoke
    return add


def told(stage, action):
    """Does what must be refused by cced over the wire."""
    try:
        answer = action()
    except Refused as refused:
        stage.note()
        return Seen(refused.code, told=refused.problem)
    raise AssertionError(f"it was accepted: {json.dumps(answer)[:500]}")


def owner_sees(stage, job, step):
    """The refusal of a job's step, as the owner sees it, once the job has ended."""
    refusal = stage.wait_for_refusal(job, step)
    stage.ended(job)
    return Seen(refusal["code"], job)


# -- sign-in: a message signs one thing, for one server, once

SIGN_IN = {"unchanged": (JOURNAL, JOBS)}


@row("sign-in", "a message for another domain", "signin.domain", **SIGN_IN)
def _(stage):
    return told(stage, lambda: stage.raw_submit(domain="elsewhere.example"))


@row("sign-in", "a message for another URI", "signin.uri", **SIGN_IN)
def _(stage):
    return told(stage, lambda: stage.raw_submit(uri="https://elsewhere.example"))


@row("sign-in", "a message for another chain", "signin.chain_id", **SIGN_IN)
def _(stage):
    return told(stage, lambda: stage.raw_submit(chain_id=1))


@row("sign-in", "a nonce that cced never gave", "signin.nonce", **SIGN_IN)
def _(stage):
    return told(stage, lambda: stage.raw_submit(nonce="0123456789abcdefABCDEF"))


@row("sign-in", "an owner's message that was used before", "signin.nonce", **SIGN_IN)
def _(stage):
    message = stage.sign_as("owner", "urn:cce4long:v1:owner:" + stage.dataset)
    stage.wire.post("/v1/tokens", message)
    stage.mark()
    return told(stage, lambda: stage.wire.post("/v1/tokens", message))


@row("sign-in", "a message for another job", "signin.resources", **SIGN_IN)
def _(stage):
    other = job_resource(stage.raw_spec(title="another job"))
    return told(stage, lambda: stage.raw_submit(resource=other))


@row("sign-in", "a message for another engine's identity", "signin.resources", **SIGN_IN)
def _(stage):
    return told(stage, lambda: stage.raw_submit(identity="ab" * 32))


@row("sign-in", "a message that has expired", "signin.expired", **SIGN_IN)
def _(stage):
    now = int(time.time())
    return told(stage, lambda: stage.raw_submit(issued=now - 1200, expires=now - 600))


@row("sign-in", "a message that would hold for a week", "signin.expired", **SIGN_IN)
def _(stage):
    return told(stage, lambda: stage.raw_submit(expires=int(time.time()) + 7 * 86400))


@row("sign-in", "a message in the consumer's name, signed by another", "signin.signature", **SIGN_IN)
def _(stage):
    return told(stage, lambda: stage.raw_submit(signer=stage.key("stranger")))


@row("sign-in", "a stranger's token for a dataset", "signin.not_owner", **SIGN_IN)
def _(stage):
    return told(stage, lambda: stage.wire.post("/v1/tokens",
                                        stage.sign_as("stranger", "urn:cce4long:v1:owner:" + stage.dataset)))


@row("sign-in", "a stranger's upload to a dataset", "signin.not_owner", unchanged=(JOURNAL, SNAPSHOTS))
def _(stage):
    resource = f"urn:cce4long:v1:upload:{stage.dataset}:{'77' * 16}"
    return told(stage, lambda: stage.wire.post("/v1/tokens", stage.sign_as("stranger", resource)))


@row("sign-in", "another's job, asked for without its token", "signin.token", **SIGN_IN)
def _(stage):
    return told(stage, lambda: stage.wire.get("/v1/jobs/" + stage.used_credential()[0], token="cce_" + "A" * 43))


@row("sign-in", "a job in another wallet's name", "job.wrong_wallet", **SIGN_IN)
def _(stage):
    spec = stage.raw_spec("consumer")
    return told(stage, lambda: stage.raw_submit("stranger", spec))


# -- rental

RENTAL = {"unchanged": (JOURNAL, JOBS)}


@row("rental", "none: refused by the client before anything is signed", "rental.none", **RENTAL)
def _(stage):
    from stage import code_in
    return Seen(code_in(stage.stranger.refused("job", "submit", stage.job_file("tiny"))))


@row("rental", "none: refused by cced", "rental.none", **RENTAL)
def _(stage):
    return told(stage, lambda: stage.raw_submit("stranger"))


@row("rental", "of another dataset", "rental.none", **RENTAL)
def _(stage):
    other = stage.owner.cce_json("dataset", "create", "--price-wei", "1000")["dataset"]
    stage.stranger.cce("rent", other, "--hours", "1")
    stage.mark()
    return told(stage, lambda: stage.raw_submit("stranger"))


@row("rental", "ended before the job", "rental.none", **RENTAL)
def _(stage):
    with stage.ended_rental(stage.wallets["consumer"]):
        return told(stage, stage.raw_submit)


@row("rental", "ended between the job and its keys", "rental.none", outcome="internal", unchanged=(NO_KEYS, NO_RESULT))
def _(stage):
    with stage.frozen("cvm-launcher"):
        job = stage.job()
        before = stage.end_rental(stage.wallets["consumer"])
    try:
        return owner_sees(stage, job, "keys")
    finally:
        stage.set_rental(stage.wallets["consumer"], before)


# -- policy: what the owner has signed, and nothing else

SET_POLICY = {"unchanged": (JOURNAL, POLICY)}
OTHER_IMAGE = "sha256:" + "ab" * 32


@row("policy", "a container image that it does not allow", "policy.image", unchanged=(JOURNAL, JOBS))
def _(stage):
    with stage.policy(images=json.dumps([OTHER_IMAGE])):
        stage.mark()
        return told(stage, stage.raw_submit)


@row("policy", "a container image that it stopped allowing before the keys left", "policy.image", outcome="internal",
     unchanged=(NO_KEYS, NO_RESULT))
def _(stage):
    with contextlib.ExitStack() as after:
        with stage.frozen("cvm-launcher"):
            job = stage.job()
            after.enter_context(stage.policy(images=json.dumps([OTHER_IMAGE])))
        return owner_sees(stage, job, "keys")


@row("policy", "an engine with development parts, where it allows none", "policy.development_refused",
     unchanged=(JOURNAL, JOBS))
def _(stage):
    with stage.policy_text(stage.vendors_policy()):
        stage.mark()
        return told(stage, stage.raw_submit)


@row("policy", "a development root without saying so", "policy.development", **SET_POLICY)
def _(stage):
    return Seen(stage.refused_policy(stage.policy_toml(allow_development="false")))


@row("policy", "any guest at all", "policy.any_measurement", **SET_POLICY)
def _(stage):
    text = stage.policy_toml()
    head, rest = text.split("[[attestation.measurements]]")
    text = head.replace("[attestation]\n", "[attestation]\nany_measurement = true\n") + "[gate]" + rest.split("[gate]")[1]
    return Seen(stage.refused_policy(text))


@row("policy", "an access mode that the store does not offer", "policy.access_mode", unchanged=(JOURNAL, JOBS))
def _(stage):
    with stage.policy(access_mode='"demand"'):
        stage.mark()
        return told(stage, stage.raw_submit)


@row("policy", "a version that does not follow", "policy.version", **SET_POLICY)
def _(stage):
    return Seen(stage.refused_policy("version = 99\n" + stage.policy_toml()))


@row("policy", "an earlier policy, sent once more", "policy.version", **SET_POLICY)
def _(stage):
    return told(stage, lambda: stage.send_policy(stage.policy_in_force(), stage.wallets["owner"]))


@row("policy", "signed by another than the owner", "policy.not_owner", **SET_POLICY)
def _(stage):
    return Seen(stage.refused_policy(stage.policy_toml(), stage.stranger))


@row("policy", "in the owner's name, signed by another", "signer.mismatch", **SET_POLICY)
def _(stage):
    return told(stage, lambda: stage.send_policy(stage.next_policy(), stage.wallets["owner"], key=stage.key("stranger")))


@row("policy", "of another dataset", "policy.wrong_dataset", **SET_POLICY)
def _(stage):
    return told(stage, lambda: stage.send_policy(stage.next_policy(dataset="0x" + "12" * 20), stage.wallets["owner"]))


# -- credential: it serves one machine, once

@row("credential", "replayed after its use", "credential.spent", unchanged=(REFUSALS,))
def _(stage):
    job, credential = stage.used_credential()
    stage.mark()
    seen = told(stage, lambda: stage.wire.keys(credential))
    assert stage.explain(job)["refusals"][-1]["code"] == seen.code
    return seen


@row("credential", "a challenge for one that ended with its job", "job.ended", unchanged=(JOURNAL,))
def _(stage):
    return told(stage, lambda: stage.wire.challenge(stage.used_credential()[1]))


@row("credential", "not a credential", "credential.invalid", unchanged=(JOURNAL,))
def _(stage):
    return told(stage, lambda: stage.wire.keys("not.a.credential"))


@row("credential", "with another job under the old signature", "credential.invalid", unchanged=(JOURNAL,))
def _(stage):
    forged = credential_with(stage.used_credential()[1], job="00" * 16)
    return told(stage, lambda: stage.wire.keys(forged))


@row("credential", "with another signature that is valid, too", "credential.superseded", unchanged=(JOURNAL,))
def _(stage):
    return told(stage, lambda: stage.wire.keys(stage.malleated(stage.used_credential()[1])))


@row("credential", "for keys, used to hand in a result", "credential.purpose", unchanged=(JOURNAL,))
def _(stage):
    return told(stage, lambda: stage.wire.result(stage.used_credential()[1]))


@row("credential", "stolen by the host, which has no challenge", "challenge.unknown", unchanged=(REFUSALS, NO_KEYS))
def _(stage):
    with stage.stolen_credential() as (job, credential):
        stage.mark()
        return told(stage, lambda: stage.wire.keys(credential))._replace(job=job)


@row("credential", "stolen by the host, which asks for five challenges", "challenge.too_many", unchanged=(NO_KEYS,))
def _(stage):
    with stage.stolen_credential() as (job, credential):
        for _ in range(4):
            stage.wire.challenge(credential)
        stage.mark()
        return told(stage, lambda: stage.wire.challenge(credential))._replace(job=job)


@row("credential", "stolen by the host, which names another suite", "keys.suite", unchanged=(REFUSALS, NO_KEYS))
def _(stage):
    with stage.stolen_credential() as (job, credential):
        challenge = stage.wire.challenge(credential)
        stage.mark()
        return told(stage, lambda: stage.wire.keys(credential, challenge=challenge, suite="none"))._replace(job=job)


@row("credential", "used with a challenge that was given for another", "challenge.unknown",
     unchanged=(REFUSALS, NO_KEYS))
def _(stage):
    with stage.stolen_credential() as (_, first):
        challenge = stage.wire.challenge(first)
    with stage.stolen_credential() as (job, second):
        stage.mark()
        return told(stage, lambda: stage.wire.keys(second, challenge=challenge))._replace(job=job)


# -- evidence: what the hardware says of the machine

EVIDENCE = {"outcome": "internal", "unchanged": (NO_KEYS, NO_RESULT)}


@row("evidence", "of no machine at all", "evidence.malformed", unchanged=(REFUSALS, NO_KEYS))
def _(stage):
    with stage.stolen_credential() as (job, credential):
        challenge = stage.wire.challenge(credential)
        stage.mark()
        return told(stage, lambda: stage.wire.keys(credential, challenge=challenge))._replace(job=job)


@row("evidence", "another machine's, sent once more", "evidence.report_data", unchanged=(REFUSALS, NO_KEYS))
def _(stage):
    evidence = stage.wire.get("/v1/identity?challenge=" + "11" * 32)["evidence"]  # a true one, of cced itself
    with stage.stolen_credential() as (job, credential):
        challenge = stage.wire.challenge(credential)
        stage.mark()
        return told(stage, lambda: stage.wire.keys(credential, challenge=challenge, evidence=evidence))._replace(job=job)


@row("evidence", "of a guest that the policy does not list", "evidence.measurement", **EVIDENCE)
def _(stage):
    with stage.other_guest():
        return owner_sees(stage, stage.job(), "keys")


def defect(name, says, code):
    """A row for a machine on a chip with a defect of tsm-sim."""
    @row("evidence", says, code, **EVIDENCE)
    def _(stage):
        with stage.world.launcher_settings(f'chip_defect = "{name}"'):
            return owner_sees(stage, stage.job(), "keys")


defect("debug-td", "of a machine under debug", "evidence.debug")
defect("wrong-report-data", "over another challenge or key", "evidence.report_data")
defect("other-mrconfigid", "of a machine with another launch document", "evidence.config_id")
defect("other-rtmr1", "of a machine with another measured register", "evidence.measurement")
defect("out-of-date-tcb", "of a platform with old firmware", "evidence.tcb_status")
defect("out-of-date-module", "of a platform with an old TDX module", "evidence.tcb_status")
defect("out-of-date-qe", "of a platform with an old quoting enclave", "evidence.tcb_status")
defect("bad-quote-signature", "with a broken signature", "evidence.signature")
defect("bad-qe-signature", "with a broken signature of the quoting enclave's report", "evidence.signature")
defect("wrong-qe", "signed by another maker's quoting enclave", "evidence.signature")
defect("revoked-pck", "of a platform whose certificate was revoked", "evidence.revoked")
defect("migratable", "of a machine that may be moved", "evidence.policy")
defect("service-td", "of a machine with a service TD bound to it", "evidence.policy")


# -- data: the storage host changes what it stores

DATA = {"outcome": "data_unusable", "unchanged": (NO_RESULT, SNAPSHOTS)}


def damaged(says, code, damage):
    @row("data", says, code, **DATA)
    def _(stage):
        with damage(stage):
            return owner_sees(stage, stage.job(), "machine")


damaged("a flipped byte in the index's head", "dataset.corrupt", lambda s: s.flipped("index", 0))
damaged("a flipped byte in the index", "dataset.corrupt", lambda s: s.flipped("index"))
damaged("a flipped byte in the files' object", "dataset.corrupt", lambda s: s.flipped("pack"))
damaged("a flipped byte at the end of the files' object", "dataset.corrupt", lambda s: s.flipped("pack", 1))
damaged("the files' object cut off", "dataset.corrupt", lambda s: s.replaced("pack", lambda true: true[:-100]))
damaged("the files' object, longer", "dataset.corrupt", lambda s: s.replaced("pack", lambda true: true + b"more"))
damaged("the index in the place of the files' object", "dataset.corrupt", lambda s: s.replaced("pack", s.index_bytes))
damaged("the files' object deleted", "dataset.missing_object", lambda s: s.replaced("pack", None))
damaged("the index deleted", "dataset.missing_object", lambda s: s.replaced("index", None))


@row("data", "a snapshot that the dataset does not have", "dataset.unknown_snapshot", unchanged=(JOURNAL, JOBS))
def _(stage):
    inputs = [{"dataset": stage.dataset, "snapshot": "ab" * 32, "files": []}]
    spec = stage.raw_spec(datasets=inputs)
    return told(stage, lambda: stage.raw_submit(spec=spec))


@row("data", "an object, asked for without the job's token", "signin.token", unchanged=(JOURNAL,))
def _(stage):
    token = "00" * 16 + "A" * 43
    return told(stage, lambda: stage.wire.get(f"/v1/store/{stage.dataset}/{stage.snapshot}", token=token))


# -- container: the consumer learns how it ended, from a closed list

def container(says, code, outcome, **job):
    """A job that fails by its own fault. No code: no step was refused, its container ended so."""
    @row("container", says, code, outcome=outcome, unchanged=(NO_RESULT, SNAPSHOTS))
    def _(stage):
        options = dict(job)
        if "image" in options:
            options["image"] = (stage.images["tiny"][0], options["image"])
        started = stage.job(**options)
        if code:
            return owner_sees(stage, started, "machine")
        stage.ended(started)
        assert stage.explain(started)["refusals"] == []
        return Seen("", started)


container("its program fails", "", "container_failed", script="echo a row of the data >&2; exit 3")
container("its program is killed", "", "container_failed", script="sh -c 'kill -9 $$'; exit $?")
container("it runs longer than it may", "", "limit_exceeded", script="sleep 60", seconds=1)
container("it takes more memory than it may", "", "limit_exceeded", script="tail -c 1000m /dev/zero", memory=64)
container("its program does not exist", "container.start_failed", "container_failed", command=["/bin/absent"])
container("its image does not exist", "image.pull_failed", "image_unusable", image="sha256:" + "ab" * 32)


# -- result: what may leave, and to whom

@row("result", "patients' rows, copied", "", outcome="held", unchanged=(NO_RESULT,))
def _(stage):
    return held_and_rejected(stage, "cp /data/*/trial.csv /output/")


@row("result", "patients' rows in other clothes", "", outcome="held", unchanged=(NO_RESULT,))
def _(stage):
    return held_and_rejected(stage, "awk -F, 'NR > 1 { print $1 \"; \" $2 \"; \" $4 \"; \" $5 \"; \" $6 }' "
                                    "/data/*/trial.csv > /output/notes.txt")


@row("result", "patients' rows on the container's standard output", "", outcome="held", unchanged=(NO_RESULT,))
def _(stage):
    return held_and_rejected(stage, "tail -n 40 /data/*/trial.csv; echo done > /output/done.txt")


@row("result", "bytes that nobody can read", "", outcome="held", unchanged=(NO_RESULT,))
def _(stage):
    return held_and_rejected(stage, "head -c 20000 /dev/urandom > /output/model.bin")


@row("result", "small cells in a table", "", outcome="held", unchanged=(NO_RESULT,))
def _(stage):
    return held_and_rejected(stage, "printf 'arm,patients\\n0,1\\n1,2\\n2,3\\n' > /output/table.csv")


def held_and_rejected(stage, script):
    job = stage.job(script)
    explained = stage.wait_for_review(job)
    assert explained["report"]["findings"], "the owner is shown no finding"
    assert_refused_fetch(stage, job)
    stage.owner.cce("review", "reject", stage.dataset, job, "--reason", "not for everybody")
    assert stage.ended(job)["state"] == "rejected"
    return Seen("", job)


def assert_refused_fetch(stage, job):
    folder = os.path.join(stage.results, "none-" + job[:8])
    assert "result.not_released" in stage.consumer.refused("job", "fetch", job, "--out", folder)
    assert not os.path.exists(os.path.join(folder, "output"))


def provoke_in_review(stage, refused):
    """What `refused(job)` is told while a job waits for its review; then the review is ended."""
    from stage import code_in
    job = stage.job("cp /data/*/trial.csv /output/")
    stage.wait_for_review(job)
    seen = Seen(code_in(refused(job)), job)
    stage.owner.cce("review", "reject", stage.dataset, job, "--reason", "not for everybody")
    stage.ended(job)
    return seen


@row("result", "fetched while people decide about it", "result.not_released", unchanged=(NO_RESULT,))
def _(stage):
    return provoke_in_review(stage, lambda job: stage.consumer.refused(
        "job", "fetch", job, "--out", stage.results + "/none"))


@row("result", "approved by a stranger", "signin.not_owner", unchanged=(NO_RESULT,))
def _(stage):
    return provoke_in_review(stage, lambda job: stage.stranger.refused(
        "review", "approve", stage.dataset, job, "--reason", "please"))


@row("result", "approved by the consumer himself, a reviewer", "review.own_job", unchanged=(NO_RESULT,))
def _(stage):
    with stage.policy(reviewers=json.dumps([stage.wallets["consumer"]])):
        return provoke_in_review(stage, lambda job: stage.consumer.refused(
            "review", "approve", stage.dataset, job, "--reason", "mine"))


@row("result", "decided about after it was released", "review.not_waiting", unchanged=(JOURNAL,))
def _(stage):
    from stage import code_in
    job = stage.used_credential()[0]
    stage.explain(job)
    stage.mark()
    return Seen(code_in(stage.owner.refused("review", "reject", stage.dataset, job, "--reason", "too late")))


@row("result", "handed in with a forged credential", "credential.invalid", unchanged=(JOURNAL,))
def _(stage):
    forged = credential_with(stage.used_credential()[1], purpose="submit")
    return told(stage, lambda: stage.wire.result(forged))


@row("result", "handed in with half a header", "result.truncated", unchanged=(JOURNAL,))
def _(stage):
    return told(stage, lambda: stage.wire.post("/v1/cvm/result", (1000).to_bytes(4, "big") + b'{"credential":'))


@row("result", "with a header that no memory should be given to", "input.too_large", unchanged=(JOURNAL,))
def _(stage):
    return told(stage, lambda: stage.wire.post("/v1/cvm/result", (2**32 - 1).to_bytes(4, "big") + b"{}"))
