#include <bit>

#include "gate/index_format.h"

namespace cce::gate {
namespace {

constexpr uint64_t kKeysOfPage = 512;

void PutString(Bytes& out, std::string_view s) {
  PutVarint(out, s.size());
  Append(out, AsBytes(s));
}

void PutFloat(Bytes& out, float v) { AppendU32(out, std::bit_cast<uint32_t>(v)); }

void PutTableInfo(Bytes& out, const TableInfo& t) {
  PutString(out, t.name);
  PutVarint(out, t.columns.size());
  for (const std::string& c : t.columns) PutString(out, c);
  PutVarint(out, t.rows);
  PutVarint(out, t.all_rows);
  PutFloat(out, t.row_bits);
  for (const float e : t.entropy) PutFloat(out, e);
  Append(out, t.factor);
}

}  // namespace

void PutVarint(Bytes& out, uint64_t v) {
  while (v >= 0x80) {
    out.push_back(static_cast<uint8_t>(v | 0x80));
    v >>= 7;
  }
  out.push_back(static_cast<uint8_t>(v));
}

Result<> IndexWriter::Put(ByteView bytes) {
  at_ += bytes.size();
  return sink_(bytes);
}

Result<> IndexWriter::Begin(uint64_t check) {
  Bytes head = ToBytes(kIndexMagic);
  AppendU16(head, kIndexVersion);
  AppendU64(head, check);
  return Put(head);
}

void IndexWriter::BeginKeys(Section section, uint64_t expected) {
  PageList& list = sections_[static_cast<size_t>(section)];
  list.bits = std::min(static_cast<int>(std::bit_width(expected / kKeysOfPage)), kMaxPageBits);
  list.pages.resize(size_t{1} << list.bits);
}

Result<> IndexWriter::AddPage(Section section, size_t number, ByteView page) {
  if (page.size() > kMaxPage) return Fail("gate.index_corrupt", "a page grew too large");
  PageList& list = sections_[static_cast<size_t>(section)];
  if (list.pages.size() <= number) list.pages.resize(number + 1);
  list.pages[number].offset = at_ & ((uint64_t{1} << 40) - 1);
  list.pages[number].size = page.size() & kMaxPage;
  return Put(page);
}

Result<> IndexWriter::Finish(const LeakIndexStats& stats, const std::vector<TableInfo>& tables,
                             uint32_t rows) {
  const uint64_t directory = at_;
  Bytes out;
  for (const uint64_t v :
       {stats.files, stats.tables, stats.bytes, stats.rows, uint64_t{stats.row_thinning},
        uint64_t{stats.shingle_thinning}, stats.keys, stats.postings, stats.shingles}) {
    PutVarint(out, v);
  }
  PutVarint(out, tables.size());
  for (const TableInfo& t : tables) PutTableInfo(out, t);
  PutVarint(out, rows);
  for (const PageList& list : sections_) {
    out.push_back(static_cast<uint8_t>(list.bits));
    PutVarint(out, list.pages.size());
    for (const PageAt& page : list.pages) {
      PutVarint(out, page.size);
      if (page.size != 0) PutVarint(out, page.offset);
    }
  }
  if (out.size() > kMaxDirectory) return Fail("gate.index_corrupt", "the directory grew too large");
  AppendU64(out, directory);
  return Put(out);
}

KeyPages::KeyPages(IndexWriter& writer, Section section, uint64_t expected)
    : writer_(writer), section_(section) {
  writer.BeginKeys(section, expected);
}

Result<> KeyPages::Add(uint64_t key, std::span<const Posting> postings) {
  const size_t page = writer_.section(section_).PageOf(key);
  if (page != page_ || keys_ == 0) {
    TRY(Finish());
    page_ = page;
  }
  PutVarint(body_, key - last_);
  if (section_ != Section::kShingles) {
    PutVarint(body_, postings.size());
    for (const Posting& p : postings) {
      PutVarint(body_, p.value);
      PutVarint(body_, p.column);
    }
  }
  last_ = key;
  ++keys_;
  ++all_keys_;
  all_postings_ += postings.size();
  return {};
}

Result<> KeyPages::Finish() {
  if (keys_ == 0) return {};
  Bytes page;
  PutVarint(page, keys_);
  Append(page, body_);
  body_.clear();
  last_ = keys_ = 0;
  return writer_.AddPage(section_, page_, page);
}

}  // namespace cce::gate
