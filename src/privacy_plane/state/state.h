// cced's state: tables that are a fold over the journal. A change is one call of Transact: the
// decision is taken on the tables as they are, its entries are appended durably, then applied;
// nobody is told before. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "base/clock.h"
#include "privacy_plane/state/entries.h"
#include "tlog/journal.h"

namespace cce::privacy_plane {

class State {
 public:
  // Replays the whole journal. Errors: journal.* by name where it was tampered with.
  // `options`: its keys come from the Key Manager.
  static Result<std::unique_ptr<State>> Open(tlog::JournalOptions options);

  // Runs `decide` alone among writers, appends what it returns (none: nothing happens), applies it.
  // Gives the last entry's sequence number. Errors: decide's own, journal.*.
  using Decide = std::function<Result<std::vector<Entry>>(const Tables&)>;
  Result<uint64_t> Transact(const Decide& decide);
  // One entry, without a condition.
  Result<uint64_t> Record(Entry entry);

  // Reads under a shared lock: keep it short, copy out what is needed.
  template <typename F>
  auto Read(F&& read) const {
    const std::shared_lock lock(tables_mutex_);
    return read(static_cast<const Tables&>(tables_));
  }

  tlog::Journal& journal() { return *journal_; }

 private:
  State() = default;
  std::mutex writer_mutex_;
  mutable std::shared_mutex tables_mutex_;
  Tables tables_;
  std::unique_ptr<tlog::Journal> journal_;
  bool broken_ = false;  // an entry was appended but could not be applied
};

}  // namespace cce::privacy_plane
