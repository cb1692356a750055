#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "attest/extensions.h"
#include "attest/little_endian.h"
#include "attest/snp_layout.h"
#include "attest/vectors.h"

namespace cce::attest::vectors {
namespace {

using Deviations = std::vector<std::string>;

void Compare(Deviations& out, const std::string& name, const json::value& expected,
             const json::value& actual) {
  const std::string want = ToJson(expected);
  const std::string got = ToJson(actual);
  if (want != got) out.push_back(name + ": expected " + want + ", got " + got);
}

std::string TextOf(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::string HexNumber(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

json::object TcbJson(const SnpTcb& tcb, SnpProduct product) {
  json::object out;
  if (product == SnpProduct::kTurin) out["fmc"] = tcb.fmc;
  out["bl"] = tcb.bootloader;
  out["tee"] = tcb.tee;
  out["snp"] = tcb.snp;
  out["ucode"] = tcb.microcode;
  return out;
}

json::object ReportJson(const SnpReport& r, ByteView bytes) {
  const SnpProduct product = r.product();
  std::string name(ProductName(product));
  std::ranges::transform(name, name.begin(), [](char c) { return c < 'a' ? c + 32 : c; });
  const auto bit = [&](uint64_t mask) { return (r.policy & mask) != 0; };
  const auto tcb = [&](const ByteArray<8>& raw) {
    return TcbJson(DecodeTcb(raw, product), product);
  };
  json::object out{
      {"version", r.version},
      {"guest_svn", r.guest_svn},
      {"policy", HexNumber(r.policy)},
      {"family_id", ToHex(r.family_id)},
      {"image_id", ToHex(r.image_id)},
      {"vmpl", r.vmpl},
      {"sig_algo", r.signature_algo},
      {"current_tcb", ToHex(r.current_tcb)},
      {"platform_info", HexNumber(r.platform_info)},
      {"flags", HexNumber(r.flags)},
      {"signing_key", r.signing_key()},
      {"author_key_en", r.flags & snp::kAuthorKeyEn},
      {"mask_chip_key", (r.flags & snp::kMaskChipKey) != 0 ? 1 : 0},
      {"report_data", ToHex(r.report_data)},
      {"measurement", ToHex(r.measurement)},
      {"host_data", ToHex(r.host_data)},
      {"id_key_digest", ToHex(r.id_key_digest)},
      {"author_key_digest", ToHex(r.author_key_digest)},
      {"report_id", ToHex(r.report_id)},
      {"report_id_ma", ToHex(r.report_id_ma)},
      {"reported_tcb", ToHex(r.reported_tcb)},
      {"cpuid", ToHex(r.cpuid)},
      {"resv188", ToHex(Field(bytes, snp::kReserved18B))},
      {"chip_id", ToHex(r.chip_id)},
      {"committed_tcb", ToHex(r.committed_tcb)},
      {"current_ver", ToHex(r.current_version)},
      {"committed_ver", ToHex(r.committed_version)},
      {"launch_tcb", ToHex(r.launch_tcb)},
      {"launch_mit", HexOfU64(r.launch_mitigation)},
      {"current_mit", HexOfU64(r.current_mitigation)},
      {"resv_tail_zero", r.reserved_zero},
      {"sig_pad_zero", r.signature_padding_zero},
  };
  // Version 2 does not say which product it is from.
  if (r.version >= 3) out["product"] = name;
  out["reported"] = tcb(r.reported_tcb);
  out["committed"] = tcb(r.committed_tcb);
  out["current"] = tcb(r.current_tcb);
  out["launch"] = tcb(r.launch_tcb);
  out["policy_bits"] = json::object{{"abi_minor", r.policy & 0xff},
                                    {"abi_major", (r.policy >> 8) & 0xff},
                                    {"smt_allowed", bit(snp::kPolicySmt)},
                                    {"reserved_must_be_1", bit(snp::kPolicyReserved1)},
                                    {"migrate_ma", bit(snp::kPolicyMigrateMa)},
                                    {"debug", bit(snp::kPolicyDebug)},
                                    {"single_socket", bit(snp::kPolicySingleSocket)}};
  return out;
}

void RunReports(const Folder& folder, const json::object& reports, Tally& tally) {
  for (const auto& member : reports) {
    Deviations d;
    const Bytes bytes = folder.Read(member.key());
    const Result<SnpReport> report = ParseSnpReport(bytes);
    if (!report || !ParseEvidence(bytes)) {
      d.push_back("does not parse as an SNP report");
    } else {
      const json::object actual = ReportJson(*report, bytes);
      for (const auto& expected : member.value().as_object()) {
        if (expected.key() == "product" && report->version < 3) continue;
        const json::value* found = actual.if_contains(expected.key());
        Compare(d, std::string(expected.key()), expected.value(),
                found == nullptr ? json::value("not compared") : *found);
      }
    }
    tally.Case("fields of " + std::string(member.key()), d);
  }
}

void RunVeks(const Folder& folder, const json::object& veks, Tally& tally) {
  for (const auto& member : veks) {
    Deviations d;
    const Result<Certificate> vek = ParseCertificate(folder.Read(member.key()));
    const Result<VekExtension> extension =
        vek ? ReadVekExtension(*vek) : Result<VekExtension>(Unexpected(vek.error()));
    if (!extension) {
      d.push_back(FormatError(extension.error()));
    } else {
      Bytes version_oid(snp::kOidPrefix.begin(), snp::kOidPrefix.end());
      version_oid.push_back(1);
      const json::object actual{
          {"issuer_cn", vek->issuer_cn},
          {"subject_cn", vek->subject_cn},
          {"not_before", vek->not_before},
          {"not_after", vek->not_after},
          {"struct_version", ToHex(vek->Find(version_oid)->value)},
          {"product_name", extension->product_name},
          {"spl", TcbJson(extension->tcb, extension->product)},
          {"hwid",
           extension->hwid.empty() ? json::value(nullptr) : json::value(ToHex(extension->hwid))},
          {"csp_id",
           extension->csp_id.empty() ? json::value(nullptr) : json::value(extension->csp_id)}};
      for (const auto& expected : member.value().as_object()) {
        const json::value* found = actual.if_contains(expected.key());
        if (expected.key() == "spl" && found != nullptr) {
          // Members of "spl" stand in another order for Turin.
          for (const auto& part : expected.value().as_object()) {
            const json::value* spl = found->as_object().if_contains(part.key());
            Compare(d, "spl." + std::string(part.key()), part.value(),
                    spl == nullptr ? json::value("absent") : *spl);
          }
          continue;
        }
        Compare(d, std::string(expected.key()), expected.value(),
                found == nullptr ? json::value("not compared") : *found);
      }
    }
    tally.Case("fields of " + std::string(member.key()), d);
  }
}

Bytes OptionalFile(const Folder& folder, const json::object& item, std::string_view key) {
  const std::string name = TextOf(item, key);
  return name.empty() ? Bytes{} : folder.Read(name);
}

Input MakeInput(const Folder& folder, const json::object& item) {
  Input out;
  out.name = TextOf(item, "name");
  out.evidence = folder.Read(TextOf(item, "report"));
  out.form = EvidenceForm::kSnpReport;
  SnpCollateral& c = out.collateral.snp.emplace();
  c.vek = OptionalFile(folder, item, "vek");
  c.ask = OptionalFile(folder, item, "intermediate");
  c.ark = OptionalFile(folder, item, "root");
  c.crl = OptionalFile(folder, item, "crl");
  out.policy = StrictPolicy();
  out.policy.snp.require_crl = !c.crl.empty();
  out.time = item.at("time").as_int64();
  return out;
}

// The state of a rule in the tree; nothing where it was not reached.
std::optional<bool> StateOf(const std::vector<Check>& checks, std::string_view id) {
  for (const Check& check : checks) {
    if (check.rule->id == id && check.state != CheckState::kNotReached) {
      return check.state == CheckState::kPass;
    }
    if (const std::optional<bool> below = StateOf(check.children, id)) return below;
  }
  return std::nullopt;
}

// Where both the vectors and the verdict have an opinion.
void CompareState(Deviations& out, const json::object& expect, std::string_view key,
                  const std::optional<bool>& actual) {
  const json::value* expected = expect.if_contains(key);
  if (expected == nullptr || !expected->is_bool() || !actual) return;
  Compare(out, std::string(key), *expected, *actual);
}

std::optional<bool> AllOf(const Verdict& v, std::initializer_list<std::string_view> rules) {
  std::optional<bool> out;
  for (const std::string_view rule : rules) {
    if (const std::optional<bool> state = StateOf(v.checks, rule)) {
      out = out.value_or(true) && *state;
    }
  }
  return out;
}

void CompareVerdict(Deviations& d, const json::object& expect, const Input& input) {
  Input permissive = input;
  permissive.policy.snp.allow_debug = true;
  permissive.policy.snp.vmpls = {0, 1, 2, 3};
  const Verdict any = Run(permissive);
  const Verdict strict = Run(input);
  Compare(d, "accept", expect.at("accept"), any.accepted);
  const Result<Evidence> parsed = ParseEvidence(input.evidence, input.form);
  CompareState(d, expect, "parse_ok", parsed.has_value());
  CompareState(d, expect, "chain_ok",
               AllOf(any, {"snp.collateral.present", "snp.chain.form", "snp.chain.root",
                           "snp.chain.names", "snp.chain.constraints", "snp.chain.signatures",
                           "snp.chain.validity", "snp.vek.extensions"}));
  CompareState(d, expect, "crl_ok",
               AllOf(any, {"snp.crl.form", "snp.crl.issuer", "snp.crl.signature", "snp.crl.fresh",
                           "snp.ask.not_revoked"}));
  CompareState(d, expect, "signature_ok", StateOf(any.checks, "snp.report.signature"));
  CompareState(d, expect, "tcb_matches_vek", StateOf(any.checks, "snp.vek.tcb"));
  CompareState(d, expect, "chip_id_matches_vek", StateOf(any.checks, "snp.vek.chip_id"));
  if (any.accepted) {
    static const std::map<std::string, std::string> kWords = {
        {"snp.policy.debug", "policy allows debug"}, {"snp.vmpl", "VMPL 1"}};
    std::set<std::string> found;
    for (const Failure& failure : Failures(strict)) {
      const auto word = kWords.find(failure.rule);
      found.insert(word == kWords.end() ? failure.rule : word->second);
    }
    const json::value* objections = expect.if_contains("policy_objections_of_a_strict_verifier");
    Compare(d, "policy objections", objections == nullptr ? json::array{} : *objections,
            json::array(found.begin(), found.end()));
    Compare(d, "accepted under the strict policy", found.empty(), strict.accepted);
  }
  if (!any.accepted && !any.first_failure) d.push_back("a refusal without a failure");
}

// The Azure blob in its own form: the report inside verifies, and binds the runtime data.
void RunAzure(const Folder& folder, const std::vector<Input>& inputs, Tally& tally) {
  const auto plain = std::ranges::find(inputs, "milan_v2_azure_hcl_trustee", &Input::name);
  if (plain == inputs.end()) return;
  Input input = *plain;
  input.form = EvidenceForm::kAuto;
  input.evidence = folder.Read("azure/hcl_report_milan_v2.bin");
  Deviations d;
  const Verdict verdict = Run(input);
  Compare(d, "accepted", true, verdict.accepted);
  Compare(d, "runtime data bound", true,
          StateOf(verdict.checks, "snp.hcl.runtime_data").value_or(false));
  tally.Case("azure/hcl_report_milan_v2.bin as HCL report", d);
}

}  // namespace

std::vector<Input> SnpInputs(const Folder& folder) {
  std::vector<Input> out;
  const json::object cases = folder.Cases();
  for (const json::value& item : cases.at("cases").as_array()) {
    out.push_back(MakeInput(folder, item.as_object()));
  }
  return out;
}

void RunSnp(const Folder& folder, Tally& tally) {
  const json::object cases = folder.Cases();
  RunReports(folder, cases.at("reports").as_object(), tally);
  RunVeks(folder, cases.at("veks").as_object(), tally);
  const json::array& list = cases.at("cases").as_array();
  const std::vector<Input> inputs = SnpInputs(folder);
  for (size_t i = 0; i < inputs.size(); ++i) {
    Deviations d;
    CompareVerdict(d, list[i].at("expect").as_object(), inputs[i]);
    tally.Case(inputs[i].name, d);
  }
  RunAzure(folder, inputs, tally);
}

}  // namespace cce::attest::vectors
