"""The operator owns the host, the disk and cced's configuration, and can do nothing with them: no key leaves by an
edited configuration, no start with an edited journal."""

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from deploy.world.processes import Failed, free_port
from deploy.world.world import write
from stage import code_in

FMSPC = "c0ce4c000000"  # of the simulated chip
# So few that every test's entries are anchored on chain soon.
WORLD_SETTINGS = {"max_unanchored_entries": 60}


@contextlib.contextmanager
def edited_configuration(stage, edit):
    """cced restarted by its operator with an edited cced.toml, and back again."""
    path = stage.world.path("cced.toml")
    with open(path, encoding="utf-8") as config:
        before = config.read()
    after = edit(before)
    assert after != before
    try:
        restart(stage, after)
        yield
    finally:
        restart(stage, before)


def restart(stage, configuration):
    stage.world.processes.stop("cced")
    write(stage.world.path("cced.toml"), configuration)
    stage.world.start_cced()


def repin(stage):
    for person in (stage.owner, stage.consumer):
        person.trust()


def refused_at_keys(stage):
    job = stage.job()
    refusal = stage.wait_for_refusal(job, "keys")
    assert stage.ended(job)["state"] == "failed"
    assert "measurement" not in stage.explain(job), "keys have left"
    return refusal["code"]


def test_an_edited_configuration_is_seen_by_clients(own_stage):
    stage = own_stage
    with edited_configuration(stage, lambda text: text.replace('name = "operator"', 'name = "another"')):
        for person in (stage.owner, stage.consumer):
            assert code_in(person.refused("dataset", "upload", stage.dataset, stage.data)) == "trust.changed"


def test_a_guest_that_only_the_operator_lists_gets_no_key(own_stage):
    stage = own_stage
    with stage.other_guest():
        changed = stage.world.path("decrypt-fs.changed")
        roles = []
        for role in ("tee-agent", "decrypt-fs", "runc", "skopeo", "umoci"):
            roles += ["--role", f"{role}={changed if role == 'decrypt-fs' else stage.world.guest_file(role)}"]
        listed = stage.world.measure("--guest", "process", *roles)
        entry = "".join(f'{r} = "{listed[r]}"\n' for r in ("mrtd", "rtmr1", "rtmr2"))
        with edited_configuration(stage, lambda text: text.replace("any_measurement = true\n", "")
                                  + f'[[attestation.policy.measurements]]\nname = "mine"\ntee = "tdx"\n{entry}'):
            repin(stage)
            assert refused_at_keys(stage) == "evidence.measurement"
    repin(stage)


def test_a_root_that_only_the_operator_accepts_opens_nothing(own_stage):
    """The owner trusts another root than the simulator's; the operator's configuration names the simulator's."""
    stage = own_stage
    text = stage.policy_toml().replace(stage.world.root["sha256_der"], "ab" * 32)
    with stage.policy_text(text):
        assert refused_at_keys(stage) == "evidence.untrusted_root"


# -- collateral

def monitor(stage, path):
    """Status and text of the monitor's answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{stage.world.ports['monitor']}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def trust_refused(stage):
    owner = stage.owner
    return code_in(owner.refused("trust", "add", "--attestation", owner.path("cced-policy.toml")))


def without_kept_collateral(stage):
    stage.world.processes.stop("cced")
    os.unlink(stage.world.path("state", "collateral.json"))
    stage.world.start_cced()


def services(world, port=None):
    url = world.collateral_url if port is None else f"http://127.0.0.1:{port}"
    return f'pcs_url = "{url}"\nkds_url = "{url}"\n'


def test_collateral_is_fetched_and_watched(own_stage):
    status, text = monitor(own_stage, "/ready")
    assert status == 200
    collateral = json.loads(text)["collateral"]
    assert collateral["documents"] >= 4
    assert collateral["warnings"] == []
    metrics = monitor(own_stage, "/metrics")[1]
    assert "cced_collateral_ending 0" in metrics
    for source in ("intel", "amd"):
        assert f'cced_collateral_fetches_total{{source="{source}",outcome="failed"}} 0' in metrics


def test_kept_collateral_serves_while_its_service_is_down_and_nothing_serves_without(own_stage):
    stage = own_stage
    with edited_configuration(stage, lambda text: text.replace(services(stage.world), services(stage.world, free_port()))):
        repin(stage)
        without_kept_collateral(stage)
        assert trust_refused(stage) == "collateral.unavailable"
        status, text = monitor(stage, "/ready")
        assert status == 503
        assert json.loads(text)["code"] == "collateral.unavailable"
    repin(stage)


def test_collateral_comes_by_bundle_where_no_service_is(own_stage):
    stage = own_stage
    exported, folder = stage.world.path("exported.json"), stage.world.path("bundles")
    policy = stage.owner.path("cced-policy.toml")
    done = stage.owner.cce_json("collateral", "export", exported, "--fmspc", FMSPC, "--pcs", stage.world.collateral_url,
                                "--policy", policy)
    assert len(done["documents"]) == 4
    assert code_in(stage.owner.refused("collateral", "import", exported, "--to", folder + "/")) == "evidence.untrusted_root"
    stage.owner.cce("collateral", "import", exported, "--to", folder + "/", "--policy", policy)
    with edited_configuration(stage, lambda text: text.replace(services(stage.world), f'bundle = "{folder}"\n')):
        without_kept_collateral(stage)
        repin(stage)
        assert monitor(stage, "/ready")[0] == 200
        assert "cced_collateral_fetches_total" not in monitor(stage, "/metrics")[1]
    repin(stage)


def test_an_operator_may_narrow(own_stage):
    """What the owner allows, the operator may refuse."""
    stage = own_stage
    narrowed = f'[[attestation.policy.measurements]]\nname = "none"\ntee = "tdx"\nmrtd = "{"ab" * 48}"\n'
    with edited_configuration(stage, lambda text: text.replace("any_measurement = true\n", "") + narrowed):
        repin(stage)
        assert refused_at_keys(stage) == "evidence.measurement"
    repin(stage)


# -- the journal, with cced stopped

def journal(stage):
    return stage.world.path("state", "journal.db")


def stop(stage):
    """Stops cced and gives a copy of its journal's files."""
    stage.world.processes.stop("cced")
    copies = stage.world.path(f"journal-{time.monotonic_ns()}")
    os.makedirs(copies)
    for name in os.listdir(stage.world.path("state")):
        if name.startswith("journal.db"):
            shutil.copy(stage.world.path("state", name), copies)
    return copies


def put(stage, copies):
    for name in os.listdir(stage.world.path("state")):
        if name.startswith("journal.db"):
            os.unlink(stage.world.path("state", name))
    for name in os.listdir(copies):
        shutil.copy(os.path.join(copies, name), stage.world.path("state", name))


def refused_start(stage):
    """The code with which cced refuses to start."""
    try:
        stage.world.start_cced()
    except Failed as error:
        stage.world.processes.children.pop("cced")
        return re.findall(r"^(journal\.[a-z_]+): ", str(error), re.M)[-1]
    raise AssertionError("cced started")


EDITS = {
    "an entry's last byte changed": ("journal.edited", """
        UPDATE entries SET sealed = CAST(substr(sealed, 1, length(sealed) - 1) ||
        CASE WHEN substr(sealed, -1) = x'00' THEN x'01' ELSE x'00' END AS BLOB) WHERE seq = 5"""),
    "an entry emptied": ("journal.edited", "UPDATE entries SET sealed = x'' WHERE seq = 5"),
    "the head changed": ("journal.edited", "UPDATE head SET sealed = zeroblob(length(sealed))"),
    "an entry deleted": ("journal.truncated", "DELETE FROM entries WHERE seq = 5"),
    "the first entry deleted": ("journal.truncated", "DELETE FROM entries WHERE seq = 0"),
    "the last entries cut off": ("journal.truncated",
                                 "DELETE FROM entries WHERE seq > (SELECT max(seq) - 3 FROM entries)"),
    "all entries deleted": ("journal.truncated", "DELETE FROM entries"),
    "the head deleted": ("journal.truncated", "DELETE FROM head"),
    "two entries swapped": ("journal.reordered", """
        UPDATE entries SET seq = 1000000 WHERE seq = 5; UPDATE entries SET seq = 5 WHERE seq = 6;
        UPDATE entries SET seq = 6 WHERE seq = 1000000"""),
    "an entry deleted and the rest moved up": ("journal.reordered", """
        DELETE FROM entries WHERE seq = 5; UPDATE entries SET seq = seq - 1 WHERE seq > 5"""),
    "an entry repeated": ("journal.reordered",
                          "INSERT INTO entries SELECT max(seq) + 1, (SELECT sealed FROM entries WHERE seq = 5) "
                          "FROM entries"),
}


@pytest.fixture(scope="class")
def stopped(own_stage):
    """The stage with cced stopped, and a good copy of its journal; afterwards it starts from that."""
    copies = stop(own_stage)
    yield own_stage, copies
    put(own_stage, copies)
    own_stage.world.start_cced()


class TestJournal:
    @pytest.mark.parametrize("name", EDITS)
    def test_a_changed_journal_refuses_to_start(self, stopped, name):
        stage, copies = stopped
        code, sql = EDITS[name]
        put(stage, copies)
        with contextlib.closing(sqlite3.connect(journal(stage))) as database:
            database.executescript(sql + ";")
        assert refused_start(stage) == code

    def test_the_right_journal_starts_again(self, stopped):
        stage, copies = stopped
        put(stage, copies)
        stage.world.start_cced()
        assert stage.ended(stage.job())["state"] == "released"
        stage.world.processes.stop("cced")
        shutil.rmtree(copies)
        os.makedirs(copies)
        for name in os.listdir(stage.world.path("state")):
            if name.startswith("journal.db"):
                shutil.copy(stage.world.path("state", name), copies)


def test_an_older_copy_of_the_journal_refuses_to_start(own_stage):
    stage = own_stage
    older = stop(stage)
    stage.world.start_cced()
    log_path = stage.world.processes.log_path("cced")
    with open(log_path, encoding="utf-8") as log:
        anchors = log.read().count("log.anchored")
    for _ in range(8):
        stage.ended(stage.job())
        with open(log_path, encoding="utf-8") as log:
            if log.read().count("log.anchored") > anchors:
                break
    else:
        raise AssertionError("nothing was anchored")
    stage.wait_final()
    newest = stop(stage)
    put(stage, older)
    assert refused_start(stage) == "journal.rolled_back"
    shutil.rmtree(older)
    os.makedirs(older)
    put(stage, older)  # no journal at all
    assert refused_start(stage) == "journal.rolled_back"
    put(stage, newest)
    stage.world.start_cced()
    assert stage.ended(stage.job())["state"] == "released"


def test_without_anchors_nothing_leaves(own_stage):
    """A chain that takes no anchor: after max_unanchored_entries no key leaves."""
    stage = own_stage
    cced = stage.world.keys["chain_address"]
    balance = stage.world.rpc("eth_getBalance", cced, "latest")
    stage.world.rpc("anvil_setBalance", cced, "0x0")
    try:
        for _ in range(12):
            job = stage.job()
            status = stage.follow(job, until=("released", "failed", "cancelled", "reviewing"), seconds=40)
            refusals = [r for r in stage.explain(job)["refusals"] if r["step"] == "keys"]
            if refusals:
                break
        assert refusals[-1]["code"] == "journal.unanchored"
        assert "measurement" not in stage.explain(job)
        assert status["state"] != "released"
    finally:
        stage.world.rpc("anvil_setBalance", cced, balance)


# -- cced's configuration

@pytest.mark.parametrize(("edit", "says"), [
    (("[chain]\n", "[chain]\nfinalty = \"latest\"\n"), ("finalty", "finality")),
    (("[monitor]\n", "[monitor]\nprot = 1\n"), ("prot", "port")),
    (("tick_millis = 100\n", "tick_milis = 100\n"), ("tick_milis", "tick_millis")),
])
def test_an_unknown_key_is_fatal(own_stage, edit, says):
    with open(own_stage.world.path("cced.toml"), encoding="utf-8") as config:
        before = config.read()
    after = before.replace(*edit)
    assert after != before
    line = next(i for i, text in enumerate(after.splitlines(), 1) if text.startswith(says[0]))
    path = write(own_stage.world.path("wrong.toml"), after)
    for option in ("--check-config", "--show-keys"):
        done = subprocess.run([own_stage.world.program("cced"), "--config", path, option], capture_output=True,
                              text=True, check=False, timeout=20)
        assert done.returncode == 1
        assert f"{line}" in done.stderr
        assert says[0] in done.stderr
        assert says[1] in done.stderr


def test_a_right_configuration_is_good(own_stage):
    done = subprocess.run([own_stage.world.program("cced"), "--config", own_stage.world.path("cced.toml"),
                           "--check-config"], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0
    assert "good" in done.stdout
