#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "attest/event_log.h"
#include "attest/extensions.h"
#include "attest/little_endian.h"
#include "attest/tdx_layout.h"
#include "attest/vectors.h"
#include "base/file.h"

namespace cce::attest::vectors {
namespace {

constexpr size_t kMaxFile = 8 << 20;

template <typename T>
T OrExit(Result<T> result, std::string_view what) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(what.size()), what.data(),
               FormatError(result.error()).c_str());
  std::exit(2);
}

// Compares a named value with what the vectors say.
class Differences {
 public:
  void Equal(std::string_view name, const std::string& expected, const std::string& actual) {
    if (expected == actual) return;
    list.push_back(std::string(name) + ": expected " + expected + ", got " + actual);
  }
  void Json(std::string_view name, const json::value& expected, const json::value& actual) {
    Equal(name, ToJson(expected), ToJson(actual));
  }
  std::vector<std::string> list;
};

std::string TextOf(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}
UnixSeconds TimeOf(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

json::array Sorted(const json::value* list) {
  std::set<std::string> texts;
  if (list != nullptr && list->is_array()) {
    for (const json::value& item : list->get_array()) texts.emplace(item.as_string());
  }
  return json::array(texts.begin(), texts.end());
}

// -- Parsed fields

json::object PckJson(const TdxQuote& quote) {
  const std::vector<Bytes> chain =
      OrExit(ParsePemChain(AsText(quote.pck_chain_pem)), "the quote's PCK chain");
  const Certificate leaf = OrExit(ParseCertificate(chain.front()), "the PCK certificate");
  const PckExtension pck = OrExit(ReadPckExtension(leaf), "the SGX extension");
  std::string serial = ToHex(leaf.serial);
  serial.erase(0, std::min(serial.find_first_not_of('0'), serial.size() - 1));
  const auto time = [](UnixSeconds t) {
    std::string text = FormatTime(t);
    text.replace(text.size() - 1, 1, "+00:00");
    return text;
  };
  return {{"fmspc", ToHex(pck.fmspc)},
          {"pceid", ToHex(pck.pceid)},
          {"ppid", ToHex(pck.ppid)},
          {"sgx_tcb_components", json::array(pck.components.begin(), pck.components.end())},
          {"pcesvn", pck.pcesvn},
          {"cpusvn", ToHex(pck.cpusvn)},
          {"issuer", leaf.issuer_cn},
          {"serial", "0x" + serial},
          {"not_before", time(leaf.not_before)},
          {"not_after", time(leaf.not_after)}};
}

json::object QuoteJson(const TdxQuote& q, size_t size) {
  const TdBody& b = q.body;
  const auto flag = [&](uint64_t bit) { return (b.td_attributes & bit) != 0; };
  json::object out{
      {"version", q.version},
      {"kind", b.td15 ? "td15" : "td10"},
      {"len", size},
      {"trailing", q.trailing},
      {"trailing_nonzero", q.trailing_nonzero},
      {"qe_isvsvn", q.qe_report.isvsvn},
      {"qe_svn", q.qe_svn},
      {"pce_svn", q.pce_svn},
      {"tee_tcb_svn", ToHex(b.tee_tcb_svn)},
      {"tdattributes", HexOfU64(b.td_attributes)},
      {"xfam", HexOfU64(b.xfam)},
      {"seamattributes", ToHex(b.seam_attributes)},
      {"mrtd", ToHex(b.mrtd)},
      {"rtmr0", ToHex(b.rtmr[0])},
      {"rtmr1", ToHex(b.rtmr[1])},
      {"rtmr2", ToHex(b.rtmr[2])},
      {"rtmr3", ToHex(b.rtmr[3])},
      {"mrconfigid", ToHex(b.mrconfigid)},
      {"mrowner", ToHex(b.mrowner)},
      {"mrownerconfig", ToHex(b.mrownerconfig)},
      {"reportdata", ToHex(b.report_data)},
      {"tee_tcb_svn2", ToHex(b.tee_tcb_svn2)},
      {"mrservicetd", ToHex(b.mrservicetd)},
      {"pck", PckJson(q)},
  };
  out["flags"] = json::object{{"debug", flag(tdx::kTdDebug)},
                              {"sept_ve_disable", flag(tdx::kTdSeptVeDisable)},
                              {"migratable", flag(tdx::kTdMigratable)},
                              {"pks", flag(tdx::kTdPks)},
                              {"key_locker", flag(tdx::kTdKeyLocker)},
                              {"perfmon", flag(tdx::kTdPerfmon)},
                              {"service_td_nonzero", !AllZero(b.mrservicetd)}};
  return out;
}

void CompareObjects(Differences& d, const std::string& prefix, const json::object& expected,
                    const json::object& actual) {
  static const std::set<std::string, std::less<>> kAbout = {"source", "how", "note"};
  for (const auto& member : expected) {
    const std::string key(member.key());
    if (kAbout.contains(key)) continue;
    const json::value* found = actual.if_contains(key);
    if (found == nullptr) {
      d.list.push_back(prefix + key + ": not compared");
    } else if (member.value().is_object() && found->is_object()) {
      CompareObjects(d, prefix + key + ".", member.value().get_object(), found->get_object());
    } else {
      d.Json(prefix + key, member.value(), *found);
    }
  }
}

void RunQuoteFields(const Folder& folder, const json::object& quotes, Tally& tally) {
  for (const auto& member : quotes) {
    Differences d;
    const Bytes bytes = folder.Read(member.key());
    const Result<TdxQuote> quote = ParseTdxQuote(bytes);
    if (!quote || !ParseEvidence(bytes)) {
      d.list.push_back("does not parse as a TDX quote");
    } else {
      CompareObjects(d, "", member.value().as_object(), QuoteJson(*quote, bytes.size()));
    }
    tally.Case("fields of " + std::string(member.key()), d.list);
  }
}

// -- Cases

Input MakeInput(const Folder& folder, const json::object& item) {
  Input out;
  out.name = TextOf(item, "name");
  out.evidence = folder.Read(TextOf(item, "quote"));
  TdxParts parts;
  const std::string info = folder.Text(TextOf(item, "tcb_info"));
  const std::string qe = folder.Text(TextOf(item, "qe_identity"));
  const Bytes pck_crl = folder.Read(TextOf(item, "pck_crl"));
  const Bytes root_crl = folder.Read(TextOf(item, "root_crl"));
  std::string chain;
  for (const json::value& name : item.at("signing_chain").as_array()) {
    chain += folder.Text(name.as_string());
  }
  parts.tcb_info = info;
  parts.qe_identity = qe;
  parts.pck_crl = pck_crl;
  parts.root_crl = root_crl;
  parts.tcb_info_chain = chain;
  out.collateral.tdx = OrExit(MakeTdxCollateral(parts), out.name);
  if (const std::string from = TextOf(item, "tcb_info_signature_from"); !from.empty()) {
    out.collateral.tdx->tcb_info.signature =
        OrExit(SplitTcbInfo(folder.Text(from)), from).signature;
  }
  if (const std::string from = TextOf(item, "qe_identity_signature_from"); !from.empty()) {
    out.collateral.tdx->qe_identity.signature =
        OrExit(SplitQeIdentity(folder.Text(from)), from).signature;
  }
  out.policy = StrictPolicy();
  const std::string root = TextOf(item, "trusted_root");
  if (root != "certs/intel_sgx_root_ca.pem") {
    const std::vector<Bytes> der = OrExit(ParsePemChain(folder.Text(root)), root);
    out.policy.roots = {RootFromDer(root, Tee::kTdx, der.front())};
  }
  out.time = TimeOf(item, "time");
  return out;
}

// Accepts every status that can be accepted, so that only other objections remain.
Policy AnyStatus(Policy policy) {
  policy.tcb_statuses.clear();
  for (const TcbStatus status :
       {TcbStatus::kUpToDate, TcbStatus::kSwHardeningNeeded, TcbStatus::kConfigurationNeeded,
        TcbStatus::kConfigurationAndSwHardeningNeeded, TcbStatus::kOutOfDate,
        TcbStatus::kOutOfDateConfigurationNeeded, TcbStatus::kTdRelaunchAdvised,
        TcbStatus::kTdRelaunchAdvisedConfigurationNeeded}) {
    policy.tcb_statuses.push_back({std::string(StatusName(status)), std::nullopt, ""});
  }
  return policy;
}

json::array Objections(const Verdict& verdict) {
  static const std::map<std::string, std::string> kWords = {
      {"tdx.td.debug", "debug TD"},
      {"tdx.td.sept_ve_disable", "SEPT_VE_DISABLE clear"},
      {"tdx.td.service_td", "non-zero MRSERVICETD"}};
  std::set<std::string> out;
  for (const Failure& failure : Failures(verdict)) {
    const auto word = kWords.find(failure.rule);
    out.insert(word == kWords.end() ? failure.rule : word->second);
  }
  return json::array(out.begin(), out.end());
}

json::value StatusJson(const std::optional<TcbStatus>& status) {
  return status ? json::value(StatusName(*status)) : json::value(nullptr);
}

void CompareVerdict(Differences& d, const json::object& expect, const Verdict& any,
                    const Verdict& strict) {
  d.Json("collateral_ok", expect.at("collateral_ok"), any.collateral_ok);
  d.Json("tcb_status", expect.at("tcb_status"), StatusJson(any.tcb_status));
  if (expect.contains("tcb_date")) {
    d.Json("tcb_date", expect.at("tcb_date"),
           any.tcb_date ? json::value(*any.tcb_date) : json::value(nullptr));
    d.Json("advisory_ids", Sorted(expect.if_contains("advisory_ids")),
           json::array(any.advisory_ids.begin(), any.advisory_ids.end()));
  }
  if (expect.contains("current_tcb_status")) {
    d.Json("current_tcb_status", expect.at("current_tcb_status"),
           StatusJson(any.current_tcb_status));
    d.Json("current_advisory_ids", Sorted(expect.if_contains("current_advisory_ids")),
           json::array(any.current_advisory_ids.begin(), any.current_advisory_ids.end()));
  }
  d.Json("reject_stage", expect.at("reject_stage"),
         any.reject_stage == Stage::kNone ? json::value(nullptr)
                                          : json::value(StageName(any.reject_stage)));
  if (any.reject_stage == Stage::kPolicy || any.reject_stage == Stage::kNone) {
    d.Json("policy_objections", Sorted(expect.if_contains("policy_objections")), Objections(any));
  }
  if (any.collateral_ok && expect.contains("signatures_ok") &&
      expect.at("signatures_ok").is_bool()) {
    const std::vector<Failure> failures = Failures(any);
    const bool ok = std::ranges::none_of(
        failures, [](const Failure& f) { return f.rule.ends_with(".signature"); });
    d.Json("signatures_ok", expect.at("signatures_ok"), ok);
  }
  d.Json("accept_strict", expect.at("accept_strict"), strict.accepted);
  if (strict.accepted && strict.development)
    d.list.push_back("a vendor root counts as development");
  if (!strict.accepted && !strict.first_failure) d.list.push_back("a refusal without a failure");
}

void RunCase(const Folder& folder, const json::object& item, Tally& tally) {
  Input input = MakeInput(folder, item);
  Differences d;
  std::vector<UnixSeconds> times = {input.time};
  if (item.contains("valid_from")) times.push_back(TimeOf(item, "valid_from"));
  if (item.contains("valid_to")) times.push_back(TimeOf(item, "valid_to"));
  for (const UnixSeconds time : times) {
    input.time = time;
    const Verdict strict = Run(input);
    Input any = input;
    any.policy = AnyStatus(input.policy);
    const size_t before = d.list.size();
    CompareVerdict(d, item.at("expect").as_object(), Run(any), strict);
    for (size_t i = before; i < d.list.size(); ++i) d.list[i] += " (at " + FormatTime(time) + ")";
  }
  tally.Case(input.name, d.list);
}

// Intel's own sample: genuine under its own root up to the TDX module, which its TCB info does not
// know.
void RunIntelSample(const Folder& folder, Tally& tally) {
  const std::string base = "intel-sample/";
  Input input;
  input.evidence = folder.Read(base + "quote.dat");
  const std::string info = folder.Text(base + "tcbInfo.json");
  const std::string qe = folder.Text(base + "qeIdentity.json");
  const Bytes pck_crl = folder.Read(base + "intermediateCaCrl.der");
  const Bytes root_crl = folder.Read(base + "rootCaCrl.der");
  const std::string chain = folder.Text(base + "tcbSignChain.pem");
  const std::string pck_chain =
      folder.Text(base + "pckCert.pem") + folder.Text(base + "pckSignChain.pem");
  TdxParts parts{info, qe, pck_crl, root_crl, chain, "", "", ""};
  input.collateral.tdx = OrExit(MakeTdxCollateral(parts), base);
  const std::vector<Bytes> root =
      OrExit(ParsePemChain(folder.Text(base + "trustedRootCaCert.pem")), base);
  // The sample's files hold the root first; a chain is handed over leaf first.
  std::vector<Bytes> pck = OrExit(ParsePemChain(pck_chain), base);
  std::swap(pck.at(1), pck.at(2));
  input.collateral.tdx->pck_chain = std::move(pck);
  input.policy = StrictPolicy();
  input.time = OrExit(DatesOf(input.collateral), base).issued;
  const Verdict untrusted = Run(input);
  Differences d;
  d.Equal("first failure", "tdx.pck_chain.root",
          untrusted.first_failure ? untrusted.first_failure->rule : "none");
  tally.Case("intel-sample under Intel's production root", d.list);
  input.policy.roots = {RootFromDer("intel-sample", Tee::kTdx, root.front())};
  const Verdict verdict = Run(input);
  Differences own;
  own.Equal("first failure", "tdx.module.identity",
            verdict.first_failure ? verdict.first_failure->rule : "none");
  own.Json("collateral_ok", true, verdict.collateral_ok);
  own.Json("development", true, verdict.development);
  tally.Case("intel-sample under its own root", own.list);
}

// The bundle form: parses, and writes back to what parses to the same.
void RunBundles(const Folder& folder, Tally& tally) {
  for (const char* name :
       {"near_mpc_20260814_collateral.json", "phala_near_gas_test_collateral.json",
        "phala_tdx_quote_collateral.json", "phala_tdx_quote_outdated_collateral.json"}) {
    Differences d;
    const std::string text = folder.Text("bundles/" + std::string(name));
    const Result<Collateral> first = ParseBundle(text);
    if (!first || !first->tdx) {
      d.list.push_back("does not parse as TDX collateral");
    } else {
      const std::string written = ToBundleJson(*first);
      const Result<Collateral> second = ParseBundle(written);
      d.Equal("round trip", written, second ? ToBundleJson(*second) : "does not parse");
      d.Equal(
          "TCB info",
          TextOf(OrExit(ParseJson(text, {.max_bytes = kMaxFile}), name).as_object(), "tcb_info"),
          first->tdx.value_or(TdxCollateral{}).tcb_info.body);
    }
    tally.Case("bundle " + std::string(name), d.list);
  }
}

void RunLog(const Folder& folder, const char* log_name, const char* quote_name, size_t count,
            Tally& tally) {
  Differences d;
  const Result<EventLog> log = ParseEventLog(folder.Read(log_name));
  if (!log) {
    d.list.push_back(FormatError(log.error()));
  } else {
    const Bytes bytes = folder.Read(quote_name);
    const TdxQuote quote = OrExit(ParseTdxQuote(bytes), quote_name);
    for (const size_t i : DifferingRtmrs(*log, quote.body)) {
      d.Equal("rtmr" + std::to_string(i), ToHex(quote.body.rtmr[i]), ToHex(log->rtmr[i]));
    }
    d.Equal("events", std::to_string(count), std::to_string(log->events.size()));
  }
  tally.Case("event log " + std::string(log_name), d.list);
}

}  // namespace

void Tally::Case(const std::string& name, const std::vector<std::string>& deviations) {
  ++cases;
  if (deviations.empty()) ++as_expected;
  for (const std::string& deviation : deviations) {
    std::printf("%s: %s\n", name.c_str(), deviation.c_str());
  }
}

Bytes Folder::Read(std::string_view name) const {
  const std::string path = path_ + "/" + std::string(name);
  Bytes bytes = OrExit(ReadFile(path, kMaxFile), path);
  if (!name.ends_with(".hex")) return bytes;
  return OrExit(FromHex(AsText(bytes), /*allow_0x=*/true), path);
}

std::string Folder::Text(std::string_view name) const {
  const Bytes bytes = Read(name);
  return std::string(AsText(bytes));
}

json::object Folder::Cases() const {
  const std::string text = Text("cases.json");
  return OrExit(ParseJsonDocument(text, path_ + "/cases.json", {.max_bytes = kMaxFile}), path_)
      .root;
}

Verdict Run(const Input& input) {
  const ExpectedBinding none = ExpectedBinding::WithoutReportData();
  if (input.form == EvidenceForm::kAuto) {
    return VerifyBytes(input.evidence, input.collateral, input.policy, input.time, none);
  }
  const Result<Evidence> evidence = ParseEvidence(input.evidence, input.form);
  if (!evidence) return VerifyBytes({}, input.collateral, input.policy, input.time, none);
  return Verify(*evidence, input.collateral, input.policy, input.time, none);
}

std::vector<Input> TdxInputs(const Folder& folder) {
  std::vector<Input> out;
  const json::object cases = folder.Cases();
  for (const json::value& item : cases.at("cases").as_array()) {
    out.push_back(MakeInput(folder, item.as_object()));
  }
  return out;
}

void RunTdx(const Folder& folder, Tally& tally) {
  const json::object cases = folder.Cases();
  RunQuoteFields(folder, cases.at("quotes").as_object(), tally);
  for (const json::value& item : cases.at("cases").as_array()) {
    RunCase(folder, item.as_object(), tally);
  }
  RunIntelSample(folder, tally);
  RunBundles(folder, tally);
}

void RunEventLogs(const Folder& tdx, Tally& tally) {
  RunLog(tdx, "eventlog/dstack_quote-report.json", "quotes/v4_emr_dstack_report.bin", 28, tally);
  RunLog(tdx, "eventlog/gcp_cos113_ccel_data.dat", "quotes/v4_gcp_cos113_8000pad_google.bin", 43,
         tally);
}

}  // namespace cce::attest::vectors
