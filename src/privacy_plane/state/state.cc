#include "privacy_plane/state/state.h"

#include "base/log.h"

namespace cce::privacy_plane {

Result<> Apply(Tables& tables, uint64_t seq, int64_t millis, std::string_view type,
               const json::object& entry) {
  tables.last_time = std::max(tables.last_time, millis / 1000);
  ASSIGN_OR_RETURN(const bool dataset, ApplyDatasetEntry(tables, seq, type, entry));
  if (dataset) return {};
  ASSIGN_OR_RETURN(const bool life, ApplyLifeEntry(tables, type, entry));
  if (life) return {};
  ASSIGN_OR_RETURN(const bool job, ApplyJobEntry(tables, seq, millis, type, entry));
  if (job) return {};
  if (type == "daemon.started") return {};
  return Fail("journal.edited", "an entry has the unknown type " + std::string(type));
}

Entry DaemonStarted(const Digest32& identity, const Digest32& configuration) {
  return {"daemon.started",
          {{"identity", ToHex(identity)}, {"configuration", ToHex(configuration)}}};
}

Result<std::unique_ptr<State>> State::Open(tlog::JournalOptions options) {
  std::unique_ptr<State> state(new State());
  const auto fold = [&state](uint64_t seq, int64_t millis, std::string_view type,
                             const json::object& data) {
    return Apply(state->tables_, seq, millis, type, data);
  };
  ASSIGN_OR_RETURN(state->journal_, tlog::Journal::Open(std::move(options), fold));
  return state;
}

Result<uint64_t> State::Transact(const Decide& decide) {
  const std::lock_guard writer(writer_mutex_);
  if (broken_) return Fail("journal.broken", "the tables do not follow the journal any more");
  ASSIGN_OR_RETURN(const std::vector<Entry> entries, decide(tables_));
  if (entries.empty()) return 0;
  std::vector<tlog::NewEntry> rows;
  rows.reserve(entries.size());
  for (const Entry& entry : entries) rows.push_back({entry.type, entry.fields});
  ASSIGN_OR_RETURN(uint64_t seq, journal_->AppendAll(rows));
  const int64_t millis = journal_->LastMillis();
  const std::unique_lock lock(tables_mutex_);
  for (const Entry& entry : entries) {
    if (Result<> applied = Apply(tables_, seq, millis, entry.type, entry.fields); !applied) {
      broken_ = true;
      LogError(LogLevel::kError, "journal.broken", applied.error());
      return Fail("journal.broken", "an entry could not be applied");
    }
    ++seq;
  }
  return seq - 1;
}

Result<uint64_t> State::Record(Entry entry) {
  return Transact([&entry](const Tables&) -> Result<std::vector<Entry>> {
    return std::vector<Entry>{std::move(entry)};
  });
}

}  // namespace cce::privacy_plane
