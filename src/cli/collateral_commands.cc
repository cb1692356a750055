#include "cli/collateral_commands.h"

#include <algorithm>
#include <filesystem>

#include "base/arguments.h"
#include "base/file.h"
#include "cli/attest_files.h"
#include "collateral/bundles.h"
#include "collateral/fetcher.h"
#include "collateral/store.h"

namespace cce::cli {
namespace {

using attest::CollateralNeed;
using attest::DocumentKey;
using attest::DocumentKind;
using collateral::Store;

constexpr size_t kMaxDocuments = 1024;

struct Row {
  DocumentKey key;
  attest::DocumentFacts facts;
};

Answer Describe(const std::string& file, const std::vector<Row>& rows) {
  Answer answer;
  json::array documents;
  UnixSeconds until = INT64_MAX;
  bool development = false;
  for (const Row& row : rows) {
    until = std::min(until, row.facts.until);
    development = development || row.facts.development;
    answer.text += ToString(row.key) + ": until " + ShowTime(row.facts.until) + ", root " +
                   row.facts.root + "\n";
    documents.push_back(json::object{{"document", ToString(row.key)},
                                     {"root", row.facts.root},
                                     {"issued", FormatTime(row.facts.issued)},
                                     {"until", FormatTime(row.facts.until)}});
  }
  if (development) answer.text += "DEVELOPMENT: a root is not a vendor's\n";
  answer.text += file + ": written; it holds until " + ShowTime(until) + "\n";
  answer.data = {{"file", file},
                 {"until", FormatTime(until)},
                 {"development", development},
                 {"documents", std::move(documents)}};
  return answer;
}

Result<Row> RowOf(const Store& store, const DocumentKey& key) {
  const std::optional<collateral::Kept> kept = store.Find(key);
  if (!kept) return Fail("internal.bug", "a document that was taken is not kept");
  return Row{key, kept->facts};
}

// -- export

Result<std::pair<CollateralNeed, bool>> NeedOfOptions(const CollateralExport& o,
                                                      const attest::Policy& policy,
                                                      UnixSeconds now) {
  const int given = !o.evidence.empty() + !o.fmspc.empty() + !o.product.empty();
  if (given != 1) {
    return Fail(MakeError("input.missing_member", "what the collateral is for has to be said")
                    .Expected("one of --evidence FILE, --fmspc HEX, --product NAME")
                    .Found(given == 0 ? "none" : "more than one"));
  }
  CollateralNeed need;
  if (!o.evidence.empty()) {
    ASSIGN_OR_RETURN(const Bytes bytes, ReadEvidence(o.evidence));
    ASSIGN_OR_RETURN(const attest::Evidence evidence, attest::ParseEvidence(bytes));
    ASSIGN_OR_RETURN(need, attest::GenuineNeedOf(evidence, policy.roots, now));
    return std::pair(need, need.tee == attest::Tee::kSnp && !need.vlek);
  }
  if (!o.fmspc.empty()) {
    ASSIGN_OR_RETURN(const auto fmspc, ArrayFromHex<6>(o.fmspc));
    need.fmspc = ToHex(fmspc);
    need.pck_ca = o.pck_ca;
    return std::pair(need, false);
  }
  need.tee = attest::Tee::kSnp;
  for (const auto product :
       {attest::SnpProduct::kMilan, attest::SnpProduct::kGenoa, attest::SnpProduct::kTurin}) {
    if (o.product == attest::ProductName(product)) need.product = product;
  }
  if (need.product == attest::SnpProduct::kUnknown) {
    return Fail(MakeError("input.malformed", "no such product")
                    .Expected("Milan, Genoa or Turin")
                    .Found(o.product));
  }
  return std::pair(need, false);
}

// One after the other; what signs is taken before what it signs.
class Exporter {
 public:
  Exporter(const CollateralExport& options, const attest::Policy& policy, UnixSeconds now)
      : fetcher_(options.addresses), store_(policy.roots, kMaxDocuments), now_(now) {}

  Result<> Take(const DocumentKey& key, const std::vector<Bytes>& issuers) {
    auto fetched = fetcher_.Fetch(key, issuers, now_);
    if (!fetched) {
      Error error = std::move(fetched.error().error);
      error.message = ToString(key) + ": " + error.message;
      return Unexpected(std::move(error));
    }
    TRY(store_.Take(std::move(*fetched), now_, &key));
    ASSIGN_OR_RETURN(Row row, RowOf(store_, key));
    rows_.push_back(std::move(row));
    return {};
  }

  Result<> TakeAll(const CollateralNeed& need, bool with_vek) {
    std::vector<Bytes> issuers = {need.root};
    if (need.tee == attest::Tee::kTdx && need.root.empty()) {
      // Without a quote, the root comes with the PCK CRL, whose chain has just been verified.
      const DocumentKey crl{DocumentKind::kPckCrl, need.pck_ca};
      TRY(Take(crl, {}));
      issuers = store_.Find(crl)->document->chain;
    }
    for (const DocumentKey& key : attest::KeysOf(need, with_vek)) {
      if (store_.Find(key)) continue;
      TRY(Take(key, issuers));
      if (key.kind == DocumentKind::kSnpChain) issuers = store_.Find(key)->document->chain;
    }
    return {};
  }

  attest::Collateral Compose(const CollateralNeed& need, bool with_vek) {
    return store_.Compose(need, with_vek, now_).collateral;
  }
  const std::vector<Row>& rows() const { return rows_; }

 private:
  collateral::Fetcher fetcher_;
  Store store_;
  const UnixSeconds now_;
  std::vector<Row> rows_;
};

// -- import

// "tdx-00806f050000-platform.json", "snp-Milan-<first of chip id>.json"
Result<std::string> NameOf(const std::vector<Row>& rows) {
  std::string tdx, ca, snp;
  for (const Row& row : rows) {
    const std::string& subject = row.key.subject;
    if (row.key.kind == DocumentKind::kTcbInfo) tdx = subject;
    if (row.key.kind == DocumentKind::kPckCrl) ca = subject;
    if (row.key.kind == DocumentKind::kSnpChain && snp.empty()) snp = subject;
    if (row.key.kind == DocumentKind::kVek) snp = subject.substr(0, subject.rfind('/') + 17);
  }
  std::string name;
  if (!tdx.empty()) name = "tdx-" + tdx + "-" + ca;
  if (!snp.empty()) name += (name.empty() ? "snp-" : "-snp-") + snp;
  std::ranges::replace(name, '/', '-');
  if (name.empty()) return Fail("collateral.malformed", "the bundle names no platform");
  return name + ".json";
}

// What stands at the target already: the new one must not be older, nor for something else.
Result<> TakeUpPresent(const std::string& path, bool folder, const attest::Collateral& next,
                       Store& store, UnixSeconds now) {
  std::error_code none;
  if (!std::filesystem::exists(path, none)) return {};
  ASSIGN_OR_RETURN(const auto present, collateral::ReadBundles(path));
  for (const collateral::BundleFile& file : present) {
    for (const attest::CollateralDocument& document : attest::DocumentsOf(file.collateral)) {
      (void)store.Take(document, now);  // what has ended keeps nothing out
    }
    const bool same_kinds = file.collateral.tdx.has_value() == next.tdx.has_value() &&
                            file.collateral.snp.has_value() == next.snp.has_value();
    if (!folder && !same_kinds) {
      return Fail(MakeError("collateral.other_subject", path + " holds another kind of collateral")
                      .Next("Name a folder with --to: it takes a bundle for each platform."));
    }
  }
  return {};
}

Result<std::vector<Row>> TakeNew(const attest::Collateral& next, Store& store, UnixSeconds now) {
  const std::vector<attest::CollateralDocument> documents = attest::DocumentsOf(next);
  const bool has_pck_crl = std::ranges::any_of(
      documents, [](const auto& one) { return one.kind == DocumentKind::kPckCrl; });
  if (next.tdx && !has_pck_crl) {
    return Fail(MakeError("collateral.malformed", "the bundle lacks pck_crl_issuer_chain")
                    .Expected("the chain that came with the PCK CRL (SGX-PCK-CRL-Issuer-Chain)"));
  }
  std::vector<Row> rows;
  for (const attest::CollateralDocument& document : documents) {
    ASSIGN_OR_RETURN(const Store::Taken taken, store.Take(document, now));
    ASSIGN_OR_RETURN(Row row, RowOf(store, taken.key));
    rows.push_back(std::move(row));
  }
  return rows;
}

// A single file is one platform's.
Result<> CheckSamePlatform(const std::string& path, const std::vector<Row>& rows,
                           const Store& store) {
  for (const auto& [key, kept] : store.All()) {
    if (key.kind != DocumentKind::kTcbInfo) continue;
    const bool imported = std::ranges::any_of(rows, [&](const Row& row) { return row.key == key; });
    if (imported) continue;
    return Fail(MakeError("collateral.other_subject", path + " holds another platform's collateral")
                    .Found(ToString(key))
                    .Next("Name a folder with --to: it takes a bundle for each platform."));
  }
  return {};
}

}  // namespace

Result<Answer> ExportCollateral(const CollateralExport& options) {
  ASSIGN_OR_RETURN(const attest::Policy policy, ReadPolicyFile(options.policy));
  const collateral::Addresses& addresses = options.addresses;
  for (const std::string* url : {&addresses.pcs_url, &addresses.root_crl_url, &addresses.kds_url}) {
    if (!url->empty()) TRY(collateral::CheckAddress(*url));
  }
  const UnixSeconds now = SystemClock().Now();
  ASSIGN_OR_RETURN(const auto need, NeedOfOptions(options, policy, now));
  Exporter exporter(options, policy, now);
  TRY(exporter.TakeAll(need.first, need.second));
  const std::string text = attest::ToBundleJson(exporter.Compose(need.first, need.second));
  TRY(WriteFileAtomic(options.file, AsBytes(text)));
  return Describe(options.file, exporter.rows());
}

Result<Answer> ImportCollateral(const CollateralImport& options) {
  ASSIGN_OR_RETURN(const attest::Policy policy, ReadPolicyFile(options.policy));
  ASSIGN_OR_RETURN(const UnixSeconds now, ReadMoment(options.at));
  ASSIGN_OR_RETURN(const attest::Collateral next, ReadCollateral(options.file));
  std::error_code none;
  const bool folder = std::filesystem::is_directory(options.to, none) || options.to.ends_with('/');
  Store store(policy.roots, kMaxDocuments);
  TRY(TakeUpPresent(options.to, folder, next, store, now));
  ASSIGN_OR_RETURN(const std::vector<Row> rows, TakeNew(next, store, now));
  std::string path = options.to;
  if (folder) {
    ASSIGN_OR_RETURN(const std::string name, NameOf(rows));
    TRY(MakeFolders(options.to));
    path += (path.ends_with('/') ? "" : "/") + name;
  } else {
    TRY(CheckSamePlatform(path, rows, store));
  }
  TRY(WriteFileAtomic(path, AsBytes(attest::ToBundleJson(next))));
  return Describe(path, rows);
}

void AddCollateralCommands(args::Command& app, const GlobalOptions& global, int& exit_code) {
  args::Command* const group = app.AddCommand(
      "collateral", "documents of Intel's and AMD's services as files, for engines offline");
  group->RequireCommand();

  auto from = std::make_shared<CollateralExport>();
  from->addresses.pcs_url = collateral::kIntelPcs;
  from->addresses.kds_url = collateral::kAmdKds;
  args::Command* const out = group->AddCommand(
      "export", "fetch what a platform needs, verify it, and write it as a bundle");
  out->AddOption("FILE", from->file, "the bundle to write")->Required();
  out->AddOption("--evidence", from->evidence, "a quote or report of the platform");
  out->AddOption("--fmspc", from->fmspc, "the platform's FMSPC (TDX): 12 hex digits");
  out->AddOption("--ca", from->pck_ca, "its PCK CA: platform or processor")->ShowDefault();
  out->AddOption("--product", from->product, "Milan, Genoa or Turin (SNP): chain and CRL");
  out->AddOption("--pcs", from->addresses.pcs_url, "Intel's PCS, or a PCCS")->ShowDefault();
  out->AddOption("--root-crl", from->addresses.root_crl_url, "whole address of the root's CRL");
  out->AddOption("--kds", from->addresses.kds_url, "AMD's KDS, or a cache")->ShowDefault();
  out->AddOption("--tcb-update", from->addresses.tcb_update, "standard or early")->ShowDefault();
  out->AddOption("--policy", from->policy, "policy whose roots count; else the vendors' alone");
  out->Footer(
      "Examples:\n  cce collateral export platform.json --evidence quote.bin\n"
      "  cce collateral export platform.json --fmspc b0c06f000000 --pcs https://pccs.example:8081");
  Bind(*out, global, exit_code, [from](const Settings&) { return ExportCollateral(*from); });

  auto into = std::make_shared<CollateralImport>();
  args::Command* const in = group->AddCommand(
      "import", "verify a bundle and put it where cced reads it ([collateral] bundle); offline");
  in->AddOption("FILE", into->file, "bundle, or folder with TCB info, CRLs and so on")->Required();
  in->AddOption("--to", into->to, "cced's bundle: a file, or a folder of one bundle a platform")
      ->Required();
  in->AddOption("--policy", into->policy, "policy whose roots count; else the vendors' alone");
  in->AddOption("--at", into->at, "moment: Unix seconds or RFC 3339; else now");
  in->Footer(
      "Example:\n  cce collateral import platform.json --to /var/lib/cce4long/collateral/\n"
      "cced takes it up by itself. An older document never replaces a newer one.");
  Bind(*in, global, exit_code, [into](const Settings&) { return ImportCollateral(*into); });
}

}  // namespace cce::cli
