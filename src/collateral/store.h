// Collateral as kept: documents that were verified under the pinned roots before they came in, and
// that only newer ones replace. What it hands out is in force; whether evidence is believed is
// still `attest::Verify`'s to say. Bounded by count. Thread-safe; no network, no clock.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "attest/document.h"

namespace cce::collateral {

using attest::CollateralDocument;
using attest::DocumentFacts;
using attest::DocumentKey;

struct Kept {
  std::shared_ptr<const CollateralDocument> document;
  DocumentFacts facts;
  UnixSeconds taken_at = 0;  // when it, or the same one again, last came from its source
  bool InForce(UnixSeconds time) const { return facts.from <= time && time <= facts.until; }
};

struct Composed {
  attest::Collateral collateral;     // whole where nothing is missing
  std::vector<DocumentKey> missing;  // absent, or not in force
};

class Store {
 public:
  Store(std::vector<attest::TrustedRoot> roots, size_t max_documents);

  struct Taken {
    DocumentKey key;
    bool changed = false;  // false: the same document again
  };
  // Verifies at `now` and keeps. `wanted`: what it must be for. Beyond the bound the document that
  // was used least recently goes. Errors: evidence.* (the failed rule), collateral.other_subject,
  // collateral.older.
  Result<Taken> Take(CollateralDocument document, UnixSeconds now,
                     const DocumentKey* wanted = nullptr);

  // Also where it is no longer in force.
  std::optional<Kept> Find(const DocumentKey& key) const;
  std::vector<std::pair<DocumentKey, Kept>> All() const;
  // What is kept and in force for `need`; counts as use.
  Composed Compose(const attest::CollateralNeed& need, bool with_vek, UnixSeconds now);
  uint64_t version() const;  // another one after each change

  // The file of a store: JSON, public documents alone, written whole. Reading verifies each again;
  // one that is no longer in force must have been when it was taken, and stays only to keep older
  // ones out. Load returns what was refused. Errors: io.*, input.*.
  Result<> Save(const std::string& path) const;
  Result<std::vector<Error>> Load(const std::string& path, UnixSeconds now);

 private:
  struct Entry {
    Kept kept;
    uint64_t used = 0;
  };
  Result<DocumentFacts> Verify(const CollateralDocument& document, UnixSeconds now) const;
  Result<Taken> Put(CollateralDocument document, DocumentFacts facts, UnixSeconds taken_at,
                    const DocumentKey* wanted);

  const std::vector<attest::TrustedRoot> roots_;
  const size_t max_;
  mutable std::mutex mutex_;
  std::map<DocumentKey, Entry> entries_;
  uint64_t version_ = 1;
  uint64_t uses_ = 0;
};

}  // namespace cce::collateral
