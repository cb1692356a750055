// Deterministic tables and archives for the gate's tests.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "gate/leak_index.h"
#include "gate/policy.h"
#include "gate/review.h"
#include "gate/view.h"

namespace cce::gate {

using Files = std::vector<std::pair<std::string, std::string>>;

inline Bytes Pack(const Files& files, int (*format)(archive*), int (*filter)(archive*) = nullptr) {
  size_t room = size_t{1} << 20;
  for (const auto& [name, body] : files) room += body.size() + 4096;
  Bytes out(room);
  size_t used = 0;
  archive* a = archive_write_new();
  format(a);
  if (filter != nullptr) filter(a);
  archive_write_set_bytes_in_last_block(a, 1);
  archive_write_open_memory(a, out.data(), out.size(), &used);
  for (const auto& [name, body] : files) {
    archive_entry* e = archive_entry_new();
    archive_entry_set_pathname_utf8(e, name.c_str());
    archive_entry_set_size(e, static_cast<int64_t>(body.size()));
    const bool folder = name.ends_with('/');
    archive_entry_set_filetype(e, folder ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(e, folder ? 0755 : 0644);
    archive_write_header(a, e);
    archive_write_data(a, body.data(), body.size());
    archive_entry_free(e);
  }
  archive_write_close(a);
  archive_write_free(a);
  out.resize(used);
  return out;
}
inline Bytes Tar(const Files& files) { return Pack(files, archive_write_set_format_ustar); }
inline std::string Squeeze(std::string_view body, int (*filter)(archive*)) {
  return std::string(
      AsText(Pack({{"x", std::string(body)}}, archive_write_set_format_raw, filter)));
}
inline std::string Gzip(std::string_view body) {
  return Squeeze(body, archive_write_add_filter_gzip);
}

// A cohort of `rows` people: id, age, sex, weight, three markers, days, event.
struct Cohort {
  std::vector<std::string> names = {"id",       "age",      "sex",  "weight", "marker_a",
                                    "marker_b", "marker_c", "days", "event"};
  std::vector<std::vector<std::string>> rows;

  explicit Cohort(size_t n, uint32_t seed = 7) {
    std::mt19937 random(seed);
    const auto below = [&](uint32_t m) { return static_cast<int>(random() % m); };
    for (size_t i = 0; i < n; ++i) {
      const int weight = 400000 + below(800000);
      std::string grams = std::to_string(weight % 10000);
      grams.insert(0, 4 - grams.size(), '0');
      rows.push_back({std::to_string(10000 + 37 * i + static_cast<size_t>(below(37))),
                      std::to_string(18 + below(60)), std::to_string(below(2)),
                      std::to_string(weight / 10000) + "." + grams,
                      std::to_string(100 + below(900)), std::to_string(100 + below(900)),
                      std::to_string(200 + below(1500)), std::to_string(below(1230)),
                      std::to_string(below(2))});
    }
  }
  std::string Line(size_t row, char separator = ',') const {
    std::string out;
    for (const std::string& c : rows[row])
      out += (out.empty() ? "" : std::string(1, separator)) + c;
    return out;
  }
  std::string Header() const {
    std::string out;
    for (const std::string& c : names) out += (out.empty() ? "" : ",") + c;
    return out;
  }
  std::string Csv() const {
    std::string out = Header() + "\n";
    for (size_t r = 0; r < rows.size(); ++r) out += Line(r) + "\n";
    return out;
  }
};

inline ByteSource SourceOf(std::string text) {
  auto at = std::make_shared<size_t>(0);
  return [at, text = std::move(text)](std::span<uint8_t> buffer) -> Result<size_t> {
    const size_t n = std::min(buffer.size(), text.size() - *at);
    std::copy_n(text.begin() + static_cast<ptrdiff_t>(*at), n, buffer.begin());
    *at += n;
    return n;
  };
}

inline Bytes TestKey(uint8_t fill = 7) { return Bytes(kLeakKeySize, fill); }

// An index's bytes in memory.
class IndexBytes : public IndexSource {
 public:
  explicit IndexBytes(Bytes bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  Result<> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }

 private:
  Bytes bytes_;
};

inline Result<LeakIndex> OpenIndex(ByteView key, Bytes bytes) {
  return LeakIndex::Open(key, std::make_shared<IndexBytes>(std::move(bytes)));
}

inline Bytes FinishToBytes(LeakIndexBuilder& builder) {
  Bytes bytes;
  EXPECT_TRUE(builder.Finish([&](ByteView piece) -> Result<> {
    Append(bytes, piece);
    return {};
  }));
  return bytes;
}

inline Bytes IndexBytesOf(const std::string& csv, LeakIndexOptions options = {}) {
  auto builder = LeakIndexBuilder::New(TestKey(), options);
  EXPECT_TRUE(builder->AddFile("people.csv", SourceOf(csv)));
  return FinishToBytes(*builder);
}

inline LeakIndex IndexOf(const std::string& csv, LeakIndexOptions options = {}) {
  return std::move(*OpenIndex(TestKey(), IndexBytesOf(csv, options)));
}

// A cohort of 2000 people and its index, made once for all tests of a fixture.
class CohortTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    people_ = new Cohort(2000);
    index_ = new LeakIndex(IndexOf(people_->Csv()));
  }
  static void TearDownTestSuite() {
    delete index_;
    delete people_;
  }
  static inline Cohort* people_;
  static inline LeakIndex* index_;
};

inline View TextView(std::string name, ViewKind kind, std::string_view text) {
  return View{.chain = {std::move(name)}, .kind = kind, .bytes = ToBytes(text)};
}

inline GateReport ReviewOne(const LeakIndex& index, std::vector<View> views,
                            GatePolicy policy = {}) {
  const ReviewedDataset dataset{"people", &index};
  return Review(std::move(views), 1000, {&dataset, 1}, {&policy, 1});
}

inline const Finding* Find(const GateReport& report, FindingClass cls) {
  for (const Finding& f : report.findings) {
    if (f.cls == cls) return &f;
  }
  return nullptr;
}

}  // namespace cce::gate
