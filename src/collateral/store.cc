#include "collateral/store.h"

#include <algorithm>

namespace cce::collateral {

using attest::DocumentKind;

namespace {

// The CRL that says which issuers of a document may no longer sign.
std::optional<DocumentKey> AuthorityCrl(DocumentKind kind, const std::string& subject) {
  switch (kind) {
    case DocumentKind::kRootCrl:
    case DocumentKind::kSnpCrl:
      return std::nullopt;
    case DocumentKind::kSnpChain:
    case DocumentKind::kVek:
      return DocumentKey{DocumentKind::kSnpCrl, subject.substr(0, subject.find('/'))};
    default:
      return DocumentKey{DocumentKind::kRootCrl, "root"};
  }
}

bool Same(const CollateralDocument& a, const CollateralDocument& b) {
  return a.body == b.body && a.signature == b.signature && a.chain == b.chain;
}

}  // namespace

Store::Store(std::vector<attest::TrustedRoot> roots, size_t max_documents)
    : roots_(std::move(roots)), max_(std::max<size_t>(max_documents, 4)) {}

Result<DocumentFacts> Store::Verify(const CollateralDocument& document, UnixSeconds now) const {
  ASSIGN_OR_RETURN(DocumentFacts facts, attest::VerifyDocument(document, roots_, now));
  const std::optional<DocumentKey> authority = AuthorityCrl(document.kind, facts.subject);
  if (!authority) return facts;
  const std::optional<Kept> crl = Find(*authority);
  if (!crl) return facts;
  return attest::VerifyDocument(document, roots_, now, crl->document->body);
}

Result<Store::Taken> Store::Put(CollateralDocument document, DocumentFacts facts,
                                UnixSeconds taken_at, const DocumentKey* wanted) {
  Taken out{{document.kind, facts.subject}, true};
  if (wanted != nullptr && out.key != *wanted) {
    return Fail(MakeError("collateral.other_subject", "a document is for something else")
                    .Expected(ToString(*wanted))
                    .Found(ToString(out.key)));
  }
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(out.key);
  if (at != entries_.end()) {
    Kept& kept = at->second.kept;
    if (Same(*kept.document, document)) {
      kept.taken_at = std::max(kept.taken_at, taken_at);
      out.changed = false;
      return out;
    }
    if (const std::string older = attest::OlderThan(facts, kept.facts); !older.empty()) {
      return Fail(MakeError("collateral.older", ToString(out.key) + " is older than the one kept")
                      .Expected("one not older than that of " + FormatTime(kept.facts.issued))
                      .Found(older));
    }
  } else if (entries_.size() >= max_) {
    entries_.erase(std::ranges::min_element(entries_, {},
                                            [](const auto& entry) { return entry.second.used; }));
  }
  Entry& entry = entries_[out.key];
  entry.kept = {std::make_shared<const CollateralDocument>(std::move(document)), std::move(facts),
                taken_at};
  entry.used = ++uses_;
  ++version_;
  return out;
}

Result<Store::Taken> Store::Take(CollateralDocument document, UnixSeconds now,
                                 const DocumentKey* wanted) {
  ASSIGN_OR_RETURN(DocumentFacts facts, Verify(document, now));
  return Put(std::move(document), std::move(facts), now, wanted);
}

std::optional<Kept> Store::Find(const DocumentKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(key);
  if (at == entries_.end()) return std::nullopt;
  return at->second.kept;
}

std::vector<std::pair<DocumentKey, Kept>> Store::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<DocumentKey, Kept>> out;
  out.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) out.emplace_back(key, entry.kept);
  return out;
}

Composed Store::Compose(const attest::CollateralNeed& need, bool with_vek, UnixSeconds now) {
  Composed out;
  const std::lock_guard lock(mutex_);
  for (const DocumentKey& key : attest::KeysOf(need, with_vek)) {
    const auto at = entries_.find(key);
    if (at == entries_.end() || !at->second.kept.InForce(now)) {
      out.missing.push_back(key);
      continue;
    }
    at->second.used = ++uses_;
    attest::AddTo(out.collateral, *at->second.kept.document);
  }
  return out;
}

uint64_t Store::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

}  // namespace cce::collateral
