// For unit tests: a folder that goes away, a clock that the test moves, a freshness source in
// memory.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>

#include "tlog/journal.h"

namespace cce::tlog {

class TestClock : public Clock {
 public:
  int64_t NowMillis() const override { return now; }
  int64_t now = 1'790'000'000'000;
};

class MemoryFreshness : public FreshnessSource {
 public:
  Result<std::optional<Anchor>> Latest() override {
    if (fails) return Fail("internal.unavailable", "no anchor can be read");
    return latest;
  }
  Result<> Publish(const Anchor& anchor) override {
    latest = anchor;
    return {};
  }
  std::optional<Anchor> latest;
  bool fails = false;
};

class JournalFixture : public testing::Test {
 protected:
  JournalFixture() {
    // In memory where that exists: what is tested is not the disk.
    const std::filesystem::path memory = "/dev/shm";
    const auto base =
        std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path();
    std::string name = base / "cce-journal-XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ / "journal.db";
  }
  ~JournalFixture() override { std::filesystem::remove_all(folder_); }

  JournalOptions Options(std::unique_ptr<JournalStore> store) {
    return {.store = std::move(store),
            .base_key = SecretBytes::CopyOf(base_key_),
            .log_seed = SecretBytes::CopyOf(Bytes(32, 0x22)),
            .origin = "example.org/log",
            .clock = &clock_,
            .freshness = freshness_};
  }
  Result<std::unique_ptr<Journal>> Open() {
    seen_.clear();
    ASSIGN_OR_RETURN(auto store, OpenSqliteJournalStore(path_));
    return Journal::Open(
        Options(std::move(store)),
        [this](uint64_t seq, int64_t, std::string_view type, const json::object& data) -> Result<> {
          seen_.push_back(std::to_string(seq) + " " + std::string(type) + " " + ToJson(data));
          return {};
        });
  }
  // The error code of opening, or "opened".
  std::string Code() {
    const auto journal = Open();
    return journal ? "opened" : journal.error().code;
  }
  // A journal of `count` entries {"n": i} of type "test", closed again.
  void Fill(uint64_t count) {
    const auto journal = Open();
    ASSERT_TRUE(journal) << FormatError(journal.error());
    for (uint64_t i = (*journal)->Size(); i < count; ++i) {
      ASSERT_TRUE((*journal)->Append("test", {{"n", i}}));
    }
  }
  // What an operator does to the file while the daemon is stopped.
  void Sql(const std::string& statements) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(database, statements.c_str(), nullptr, nullptr, &error), SQLITE_OK)
        << error;
    sqlite3_close(database);
  }

  std::filesystem::path folder_;
  std::string path_;
  TestClock clock_;
  Bytes base_key_ = Bytes(32, 0x11);
  FreshnessSource* freshness_ = nullptr;
  std::vector<std::string> seen_;
};

}  // namespace cce::tlog
