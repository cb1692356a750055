// Where sealed journal entries lie: rows 0, 1, 2, .. and one head record that changes with each
// append. A store is not trusted with anything but durability; the Journal checks what comes back.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace cce::tlog {

// Thread-safe. Errors: io.*; journal.edited where the database itself is damaged.
class JournalStore {
 public:
  using Visit = std::function<Result<>(uint64_t seq, ByteView sealed_entry)>;

  virtual ~JournalStore() = default;
  // One more than the highest row; 0 where there is none.
  virtual Result<uint64_t> Size() = 0;
  // Entries (numbered from `expected_seq` on) and head in one transaction, on disk before it
  // returns. journal.conflict unless `expected_seq` is Size(); after any error nothing was written,
  // or Size() tells that it was.
  virtual Result<> Append(uint64_t expected_seq, std::span<const Bytes> sealed_entries,
                          ByteView sealed_head) = 0;
  // Rows from `from` on in order, with the numbers that the rows carry: gaps are the caller's to
  // see.
  virtual Result<> ForEach(uint64_t from, const Visit& visit) = 0;
  virtual Result<Bytes> Entry(uint64_t seq) = 0;  // io.not_found
  virtual Result<Bytes> Head() = 0;               // empty where there is none
};

// In a SQLite database of its own (write-ahead log, synchronous = FULL: what was acknowledged
// survives kill -9 and power loss). One process at a time: a second one gets journal.conflict. A
// file that is no journal of this version gives journal.foreign.
Result<std::unique_ptr<JournalStore>> OpenSqliteJournalStore(const std::string& path);

}  // namespace cce::tlog
