// The file of a store: {"version": 1, "documents": [{"kind", "body", "signature", "chain",
// "taken_at"}]}; bytes in base64.
#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "collateral/store.h"

namespace cce::collateral {
namespace {

constexpr size_t kMaxFile = size_t{64} << 20;
constexpr size_t kMaxDocument = size_t{256} << 10;
constexpr size_t kMaxDocuments = 4096;

struct Stored {
  CollateralDocument document;
  UnixSeconds taken_at = 0;
};

json::object ToJsonObject(const Kept& kept) {
  json::array chain;
  for (const Bytes& der : kept.document->chain) chain.emplace_back(ToBase64(der));
  return {{"kind", attest::KindName(kept.document->kind)},
          {"body", ToBase64(kept.document->body)},
          {"signature", ToBase64(kept.document->signature)},
          {"chain", std::move(chain)},
          {"taken_at", kept.taken_at}};
}

Result<std::vector<Stored>> Read(std::string_view text, const std::string& name) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, name, {.max_bytes = kMaxFile}));
  Fields f(document);
  f.Uint("version", {.min = 1, .max = 1});
  std::vector<Stored> out;
  for (Fields& item : f.Objects("documents", {.max = kMaxDocuments})) {
    Stored& stored = out.emplace_back();
    const auto kind = attest::KindFromName(item.String("kind", {.max = 32}));
    if (!kind) item.Reject("kind", "is no kind of document");
    stored.document.kind = kind.value_or(attest::DocumentKind::kTcbInfo);
    stored.document.body = item.Base64("body", kMaxDocument);
    stored.document.signature = item.Base64("signature", 64);
    for (const std::string& der : item.Strings("chain", {.max = 8, .max_item = 32 << 10})) {
      Result<Bytes> bytes = FromBase64(der);
      if (!bytes) item.Reject("chain", "is not base64");
      if (bytes) stored.document.chain.push_back(std::move(*bytes));
    }
    stored.taken_at = static_cast<UnixSeconds>(item.Uint("taken_at", {.max = 1ULL << 40}));
  }
  TRY(f.Finish());
  return out;
}

bool IsCrlOfARoot(const Stored& stored) {
  return stored.document.kind == attest::DocumentKind::kRootCrl ||
         stored.document.kind == attest::DocumentKind::kSnpCrl;
}

}  // namespace

Result<> Store::Save(const std::string& path) const {
  json::array documents;
  for (const auto& [key, kept] : All()) documents.push_back(ToJsonObject(kept));
  return WriteFileAtomic(
      path, AsBytes(ToJson(json::object{{"version", 1}, {"documents", std::move(documents)}})),
      0600);
}

Result<std::vector<Error>> Store::Load(const std::string& path, UnixSeconds now) {
  ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxFile));
  ASSIGN_OR_RETURN(std::vector<Stored> all, Read(text, path));
  // What says who may no longer sign comes first.
  std::ranges::partition(all, IsCrlOfARoot);
  std::vector<Error> refused;
  for (Stored& stored : all) {
    const UnixSeconds taken_at = std::min(stored.taken_at, now);
    Result<DocumentFacts> facts = Verify(stored.document, now);
    if (!facts) facts = Verify(stored.document, taken_at);
    if (!facts) {
      refused.push_back(facts.error());
      continue;
    }
    const auto put = Put(std::move(stored.document), std::move(*facts), taken_at, nullptr);
    if (!put) refused.push_back(put.error());
  }
  return refused;
}

}  // namespace cce::collateral
