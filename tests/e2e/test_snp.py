"""A job on SEV-SNP: cced and the machine give SNP reports, the owner's policy asks for them, and what is wrong with a
report keeps the keys in."""

import base64
import json

import pytest

WORLD_SETTINGS = {"tee": "snp"}


def evidence_of(text):
    return base64.b64decode(text)


def test_a_job_is_released_and_verified(own_stage):
    job = own_stage.job()
    assert own_stage.ended(job)["state"] == "released"
    files = own_stage.fetch(job)
    says = own_stage.verify(files["result"], files["manifest"])
    assert own_stage.snapshot in says
    with open(files["manifest"], encoding="utf-8") as manifest:
        assert "snp_ark" in json.dumps(json.load(manifest))  # what judges it offline


def test_cced_proves_itself_by_a_report_with_its_certificates(own_stage):
    evidence = evidence_of(own_stage.wire.get("/v1/identity?challenge=" + "22" * 32)["evidence"])
    assert evidence[:4] == b"\x03\x00\x00\x00"  # ATTESTATION_REPORT version 3
    assert len(evidence) > 1184 + 4 * 24
    assert b"SEV-VCEK" in evidence[1184:]


@pytest.mark.parametrize("name, code", [
    ("other-host-data", "evidence.config_id"),
    ("debug-guest", "evidence.debug"),
    ("old-firmware", "evidence.tcb_status"),
    ("revoked-vcek", "evidence.revoked"),
    ("wrong-report-data", "evidence.report_data"),
    ("other-launch-digest", "evidence.measurement"),
    ("bad-report-signature", "evidence.signature"),
])
def test_a_bad_report_gets_no_keys(own_stage, name, code):
    with own_stage.world.launcher_settings(f'chip_defect = "{name}"'):
        job = own_stage.job()
        assert own_stage.ended(job)["state"] == "failed"
        assert own_stage.wait_for_refusal(job, "keys")["code"] == code
        assert "measurement" not in own_stage.explain(job)


# A report that brings no certificates does no harm: cced asks for its chip's.
@pytest.mark.parametrize("name", ["snp-v2", "snp-v5", "no-certificates"])
def test_other_forms_of_the_report_are_read(own_stage, name):
    with own_stage.world.launcher_settings(f'chip_defect = "{name}"'):
        assert own_stage.ended(own_stage.job())["state"] == "released"
