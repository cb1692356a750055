// The one journal: sealed, chained entries appended before anyone is told, and the public Merkle
// log over their commitments (docs/formats/journal.md). Opening checks all of it and refuses by
// name:
//   journal.wrong_key    sealed under another key
//   journal.edited       an entry or the head does not authenticate, or does not follow the one
//   before journal.reordered    an entry stands in another's place journal.truncated    entries are
//   missing that the rows or the head record tell of journal.rolled_back  the freshness source
//   knows a newer or another log than this
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "tlog/entry_proof.h"
#include "tlog/freshness.h"
#include "tlog/journal_store.h"
#include "tlog/merkle.h"
#include "tlog/note.h"

namespace cce::tlog {

// Largest entry text, in bytes.
constexpr size_t kMaxEntry = size_t{32} << 20;

struct JournalOptions {
  std::unique_ptr<JournalStore> store;
  SecretBytes base_key;                  // 32 bytes or more: the sealing keys are derived from it
  SecretBytes log_seed;                  // 32 bytes: Ed25519, signs checkpoints
  std::string origin;                    // the log's name in checkpoints: no spaces, no '+'
  const Clock* clock = nullptr;          // outlives the journal
  FreshnessSource* freshness = nullptr;  // used by Open; null (development): a rollback goes unseen
};

struct NewEntry {
  std::string_view type;  // 1 to 64 bytes
  const json::object& data;
};

// Thread-safe.
class Journal {
 public:
  // One entry, in order: `millis` is when it was appended and never runs backwards.
  using Fold = std::function<Result<>(uint64_t seq, int64_t millis, std::string_view type,
                                      const json::object& data)>;

  // Replays all entries through `fold`; what it built counts only if Open succeeds, as head and
  // freshness are checked at the end. Errors: those above; fold's; the store's; the freshness
  // source's.
  static Result<std::unique_ptr<Journal>> Open(JournalOptions options, const Fold& fold);
  ~Journal();

  // On disk when it returns; the number of the entry. After an error the entry is not there; if the
  // store cannot tell, every later append fails with journal.conflict until the journal is opened
  // anew. Errors: input.malformed (no UTF-8, too deep), input.too_large, io.*, journal.conflict.
  Result<uint64_t> Append(std::string_view type, const json::object& data);
  // All of them or none, in one transaction; the number of the first.
  Result<uint64_t> AppendAll(std::span<const NewEntry> entries);
  // The entries from `from` on, checked again as they are read.
  Result<> Replay(uint64_t from, const Fold& fold) const;

  uint64_t Size() const;
  int64_t LastMillis() const;  // of the newest entry; 0 where there is none
  const NoteVerifier& log_key() const;

  // -- the public log
  Result<std::string> SignedCheckpoint() const;  // of the present size
  // Discloses the entry's text: not for entries that hold secrets.
  Result<EntryProof> Prove(uint64_t seq) const;  // against the present size
  Result<std::vector<MerkleHash>> ConsistencyProof(uint64_t old_size, uint64_t size) const;
  // Tiles for publication, as in merkle.h; and entry bundles: each commitment after its length as
  // u16.
  Result<Bytes> TileBytes(uint32_t level, uint64_t index, uint64_t width) const;
  Result<Bytes> EntryBundle(uint64_t index, uint64_t width) const;

  // -- anchoring: the daemon publishes Head() through its FreshnessSource, then marks it
  Anchor Head() const;
  // journal.rolled_back where `anchor` is no state of this log; an older anchor than the last
  // changes nothing.
  Result<> MarkAnchored(const Anchor& anchor);
  uint64_t AnchoredSize() const;
  uint64_t UnanchoredEntries() const;
  // When the oldest entry that is not anchored was appended; nothing where all are.
  std::optional<int64_t> OldestUnanchoredMillis() const;

 private:
  struct Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cce::tlog
