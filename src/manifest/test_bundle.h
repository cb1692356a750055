// For unit tests: a whole bundle with real signatures, hashes, tar and log proof. Only the chip is
// played: its evidence is JSON, judged by ToyJudge, which compares what it binds as the real one
// does.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/utf8_locale.h"
#include "crypto/hpke.h"
#include "crypto/signed.h"
#include "manifest/examiner.h"

namespace cce::manifest {

struct TarMember {
  std::string path;
  std::string content;
  unsigned type = AE_IFREG;
  std::string hardlink;
};

inline Bytes MakeTar(const std::vector<TarMember>& members) {
  const Utf8Locale utf8;
  Bytes out(size_t{1} << 20);
  size_t used = 0;
  archive* a = archive_write_new();
  archive_write_set_format_pax_restricted(a);
  archive_write_open_memory(a, out.data(), out.size(), &used);
  for (const TarMember& member : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, member.path.c_str());
    archive_entry_set_filetype(entry, member.type);
    archive_entry_set_perm(entry, 0644);
    if (member.type == AE_IFLNK) archive_entry_set_symlink(entry, "/etc/passwd");
    if (!member.hardlink.empty()) archive_entry_set_hardlink(entry, member.hardlink.c_str());
    const bool data = member.type == AE_IFREG && member.hardlink.empty();
    archive_entry_set_size(entry, data ? static_cast<int64_t>(member.content.size()) : 0);
    archive_write_header(a, entry);
    if (data) archive_write_data(a, member.content.data(), member.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(a);
  archive_write_free(a);
  out.resize(used);
  return out;
}

template <size_t N>
ByteArray<N> Filled(uint8_t value) {
  ByteArray<N> out;
  out.fill(value);
  return out;
}

// A toy chip's evidence.
struct ToyEvidence {
  protocol::ReportData report_data{};
  ByteArray<48> mrconfigid{};
  ByteArray<48> mrtd{};
  bool vendor = true;

  // With a sum in the place of a signature: no byte can change.
  Bytes Encode() const {
    const std::string body = ToJson(json::object{{"report_data", ToHex(report_data)},
                                                 {"mrconfigid", ToHex(mrconfigid)},
                                                 {"mrtd", ToHex(mrtd)},
                                                 {"vendor", vendor}});
    return ToBytes(body + ToHex(crypto::Sha256(AsBytes("toy chip" + body))));
  }
  static Result<ToyEvidence> Decode(ByteView bytes) {
    const std::string_view text = AsText(bytes);
    const std::string_view body = text.substr(0, text.size() - std::min<size_t>(64, text.size()));
    ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(body, "toy"));
    Fields f(document);
    const ToyEvidence toy{protocol::HexField<64>(f, "report_data"),
                          protocol::HexField<48>(f, "mrconfigid"),
                          protocol::HexField<48>(f, "mrtd"), f.Bool("vendor")};
    TRY(f.Finish());
    if (toy.Encode() != ToBytes(bytes)) return Fail("evidence.signature", "not a toy chip's");
    return toy;
  }
};

constexpr std::string_view kToyCollateral = "collateral of a toy";

inline attest::Verdict ToyRefusal(std::string what) {
  attest::Verdict out;
  out.first_failure =
      attest::Failure{.rule = "toy", .title = std::move(what), .error_code = "evidence.policy"};
  return out;
}

// The verdict that attest would give: REPORTDATA, launch document, whitelist.
inline Result<attest::Verdict> ToyJudge(ByteView bytes, std::string_view collateral,
                                        const attest::Policy& policy, UnixSeconds time,
                                        const attest::ExpectedBinding& binding) {
  if (collateral != kToyCollateral) return Fail("collateral.malformed", "no collateral");
  ASSIGN_OR_RETURN(const ToyEvidence toy, ToyEvidence::Decode(bytes));
  if (binding.report_data != toy.report_data) return ToyRefusal("REPORTDATA is as expected");
  if (binding.mrconfigid && *binding.mrconfigid != toy.mrconfigid) {
    return ToyRefusal("the launch document is as expected");
  }
  attest::Verdict out;
  for (const attest::Measurement& entry : policy.measurements) {
    const bool in_force = !entry.not_after || time <= *entry.not_after;
    if (entry.mrtd == toy.mrtd && in_force) out.measurement = entry.name;
  }
  if (out.measurement.empty()) return ToyRefusal("the guest is listed");
  out.accepted = true;
  out.development = !toy.vendor;
  out.root = toy.vendor ? "intel" : "toy root";
  attest::Evidence& evidence = out.evidence.emplace();
  attest::TdxQuote& quote = evidence.tdx.emplace();
  quote.version = 4;
  quote.body.mrtd = toy.mrtd;
  quote.body.mrconfigid = toy.mrconfigid;
  quote.body.report_data = toy.report_data;
  return out;
}

// All inputs of a bundle; Make() signs and binds them. Change members before Make(), or the bundle
// afterwards.
struct TestBundle {
  static constexpr UnixSeconds kNow = 1'790'000'000;

  crypto::P256PrivateKey key = crypto::P256PrivateKey::Derive(Filled<32>(1)).value();
  ByteArray<32> log_seed = Filled<32>(2);
  ByteArray<48> engine_mrtd = Filled<48>(0xe0);
  ByteArray<48> guest_mrtd = Filled<48>(0xc0);

  protocol::IdentityDocument identity;
  protocol::JobSpec spec;
  protocol::JobCredential credential;
  protocol::LaunchDocument launch;
  std::vector<protocol::DatasetPolicy> policies;
  Statement statement;
  Bytes tar;
  json::object entry;
  std::string entry_type = "result.approved";
  int64_t entry_millis = (kNow + 301) * 1000;
  bool engine_vendor = true;
  bool guest_vendor = true;

  // Called when all is in its place, before the statement is signed.
  std::function<void(TestBundle&)> before_signing = [](TestBundle&) {};

  Bundle bundle;
  Trust trust;

  TestBundle() {
    tar = MakeTar({{"a", "", AE_IFDIR}, {"a/summary.csv", "arm,n\n0,530\n"}, {"größe.txt", "1"}});
    FillIdentity();
    FillSpec();
    FillPolicies();
    FillStatement();
  }

  void Make() {
    FillCredentials();
    FillEvidence();
    statement.job_spec = protocol::JobSpecHash(bundle.job_spec);
    before_signing(*this);
    Sign();
    FillLog();
  }

  // Signs the statement and has the engine's chip bind the envelope.
  void Sign() {
    bundle.envelope =
        crypto::DsseSign(key, kPayloadType, AsBytes(EncodeStatement(statement))).value();
    bundle.identity.document = protocol::EncodeIdentity(identity);
    const ToyEvidence own{protocol::IdentityReportData(crypto::Sha256(AsBytes(bundle.envelope)),
                                                       bundle.identity.document),
                          {},
                          engine_mrtd,
                          engine_vendor};
    bundle.identity.evidence = own.Encode();
    bundle.identity.collateral = kToyCollateral;
    TrustedCced trusted{.name = "test engine",
                        .url = "https://cced.example:8443",
                        .identity = protocol::IdentityHash(bundle.identity.document),
                        .identity_key = key.public_key()};
    trusted.attestation.measurements = {Listed("engine image", engine_mrtd)};
    trust.engines = {std::move(trusted)};
  }

  Report Examine(bool allow_development = false) const {
    return Examiner(tar, bundle, trust, ToyJudge).Examine(allow_development);
  }
  std::string Code(bool allow_development = false) const {
    const Report report = Examine(allow_development);
    return report.error ? report.error->code : "";
  }

  static attest::Measurement Listed(std::string name, const ByteArray<48>& mrtd) {
    attest::Measurement out;
    out.name = std::move(name);
    out.mrtd = mrtd;
    return out;
  }

 private:
  void FillIdentity() {
    identity.identity_key = key.public_key();
    identity.review_key = key.public_key();
    identity.log_key = crypto::Ed25519PublicFromSeed(log_seed).value();
    identity.log_origin = "cce4long.org/log/test";
    identity.tls_key = Filled<32>(3);
    identity.root_key_source = "snp";
    identity.roots = {"intel"};
    identity.chain_id = 31337;
    identity.chain_endpoints = {"https://one.example", "https://two.example"};
    identity.finality = "finalized";
    identity.configuration = Filled<32>(4);
  }

  void FillSpec() {
    spec.wallet = Filled<20>(0x11);
    spec.chain_id = 31337;
    spec.datasets = {{Filled<20>(0xd1), Filled<32>(0x51), {}},
                     {Filled<20>(0xd2), Filled<32>(0x52), {}}};
    spec.image_repository = "demo/survival";
    spec.image_digest = "sha256:" + std::string(64, '7');
    spec.command = {"python3", "/app/run.py"};
    spec.consumer_key = key.public_key();
    spec.title = "survival by arm";
  }

  void FillPolicies() {
    for (const protocol::JobDataset& used : spec.datasets) {
      attest::Policy attestation;
      attestation.measurements = {Listed("guest image 1", guest_mrtd)};
      protocol::DatasetPolicy& policy = policies.emplace_back();
      policy.dataset = used.dataset;
      policy.chain_id = 31337;
      policy.version = 3;
      policy.attestation = attest::ToJsonObject(attestation);
      policy.images = {spec.image_digest};
      policy.access_mode = "prefetch";
    }
  }

  void FillStatement() {
    statement.output = crypto::Sha256(tar);
    statement.files = {{"a/summary.csv", crypto::Sha256(AsBytes("arm,n\n0,530\n"))},
                       {"größe.txt", crypto::Sha256(AsBytes("1"))}};
    statement.job = Filled<16>(0x21);
    statement.attempt = 2;
    statement.wallet = spec.wallet;
    statement.chain_id = spec.chain_id;
    statement.image_repository = spec.image_repository;
    statement.image_digest = spec.image_digest;
    statement.command = spec.command;
    statement.rentals = {json::object{{"dataset", "0xd1"}, {"has_access", true}, {"block", 812}}};
    statement.measurement = "guest image 1";
    statement.sealed_output = Filled<32>(0x31);
    statement.outcome = "succeeded";
    statement.decision = "auto_approved";
    statement.gate = {{"decision", "auto_approved"},
                      {"score", 0.25},
                      {"threshold", 0.5},
                      {"findings", json::object{{"small_cell", 1}}}};
    statement.submitted_at = kNow;
    statement.keys_at = kNow + 10;
    statement.result_at = kNow + 300;
    statement.decided_at = kNow + 301;
  }

  void FillCredentials() {
    bundle.job_spec = protocol::EncodeJobSpec(spec);
    credential.nonce = Filled<16>(0x41);
    credential.issued_at = kNow;
    credential.expires_at = kNow + 600;
    credential.wallet = spec.wallet;
    credential.job = statement.job;
    credential.attempt = statement.attempt;
    credential.job_spec = protocol::JobSpecHash(bundle.job_spec);
    credential.image_digest = spec.image_digest;
    for (const auto& used : spec.datasets) {
      credential.inputs.push_back({used.dataset, used.snapshot});
    }
    bundle.keys.credential = protocol::SignCredential(credential, key).value();
    bundle.keys.public_key = key.public_key();
    bundle.keys.suite = crypto::kHpkeSuite;
    protocol::JobCredential submit = credential;
    submit.purpose = protocol::CredentialPurpose::kSubmit;
    submit.release_key = crypto::Sha256(bundle.keys.public_key);
    bundle.result.credential = protocol::SignCredential(submit, key).value();
    launch.suite = crypto::kHpkeSuite;
    launch.credential = bundle.keys.credential;
    launch.identity_key = crypto::KeyId(key.public_key());
    launch.tls_key = identity.tls_key;
    launch.names = {"cced", "objects", "registry"};
    launch.limits = spec.limits;
    bundle.launch_document = protocol::EncodeLaunchDocument(launch);
    statement.datasets.clear();
    for (size_t i = 0; i < policies.size(); ++i) {
      bundle.policies.push_back(protocol::EncodePolicy(policies[i]));
      statement.datasets.push_back({spec.datasets[i].dataset, spec.datasets[i].snapshot,
                                    protocol::PolicyHash(bundle.policies[i]), policies[i].version,
                                    policies[i].access_mode});
    }
  }

  void FillEvidence() {
    KeysProof& keys = bundle.keys;
    keys.challenge = Filled<32>(0x61);
    keys.request_id = Filled<16>(0x62);
    keys.collateral = kToyCollateral;
    ToyEvidence toy{protocol::KeysReportData(keys.challenge, keys.request_id, keys.public_key,
                                             keys.credential, keys.suite),
                    protocol::LaunchDocumentMrConfigId(bundle.launch_document), guest_mrtd,
                    guest_vendor};
    keys.evidence = toy.Encode();
    statement.keys_evidence = crypto::Sha256(keys.evidence);
    const attest::ExpectedBinding binding(toy.report_data);
    attest::Policy any;
    any.measurements = {Listed("any", guest_mrtd)};
    statement.machine = attest::FieldsOf(
        *ToyJudge(keys.evidence, kToyCollateral, any, kNow, binding).value().evidence);

    ResultProof& result = bundle.result;
    result.challenge = Filled<32>(0x71);
    result.collateral = kToyCollateral;
    toy.report_data = protocol::ResultReportData({.challenge = result.challenge,
                                                  .job = statement.job,
                                                  .attempt = statement.attempt,
                                                  .credential = result.credential,
                                                  .public_key = keys.public_key,
                                                  .output = statement.sealed_output});
    result.evidence = toy.Encode();
    statement.result_evidence = crypto::Sha256(result.evidence);
  }

  void FillLog() {
    if (entry.empty()) {
      entry = {{"job", ToHex(statement.job)},
               {"attempt", statement.attempt},
               {"output", ToHex(statement.sealed_output)},
               {"result", ToHex(statement.output)},
               {"decision", statement.decision}};
    }
    tlog::EntryProof& proof = bundle.log;
    proof.text =
        ToJson(json::object{{"type", entry_type}, {"time", entry_millis}, {"data", entry}});
    proof.salt = Filled<32>(0x81);
    proof.index = 3;
    proof.size = 5;
    tlog::MerkleTree tree;
    for (uint8_t i = 0; i < 5; ++i) {
      tree.Append(i == 3 ? tlog::LeafHash(tlog::Commitment(proof.salt, proof.text))
                         : tlog::LeafHash(Filled<32>(i)));
    }
    proof.hashes = tree.InclusionProof(3, 5).value();
    proof.checkpoint =
        tlog::SignCheckpoint({identity.log_origin, 5, tree.Root(5).value()}, log_seed).value();
  }
};

}  // namespace cce::manifest
