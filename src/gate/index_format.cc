// The leak index read back (docs/formats/gate.md, "Leak index"), as if hostile: it was sealed, but
// costs nothing to check.
#include "gate/index_format.h"

#include <bit>
#include <cmath>

namespace cce::gate {
namespace {

Unexpected Corrupt(std::string what) { return Fail("gate.index_corrupt", std::move(what)); }

Result<uint64_t> GetVarint(ByteReader& in) {
  uint64_t v = 0;
  for (int shift = 0; shift < 63; shift += 7) {
    ASSIGN_OR_RETURN(const uint8_t b, in.U8());
    v |= uint64_t{b & 0x7fu} << shift;
    if (b < 0x80) return v;
  }
  return Corrupt("a number is too long");
}

// A count whose items take at least one byte each: cannot exceed what is left.
Result<size_t> GetCount(ByteReader& in) {
  ASSIGN_OR_RETURN(const uint64_t n, GetVarint(in));
  if (n > in.Remaining() || n > UINT32_MAX) return Corrupt("a count exceeds the bytes that follow");
  return static_cast<size_t>(n);
}

Result<std::string> GetString(ByteReader& in, size_t max) {
  ASSIGN_OR_RETURN(const size_t n, GetCount(in));
  if (n > max) return Corrupt("a name is too long");
  ASSIGN_OR_RETURN(const ByteView bytes, in.Take(n));
  return std::string(AsText(bytes));
}

Result<float> GetFloat(ByteReader& in) {
  ASSIGN_OR_RETURN(const uint32_t bits, in.U32());
  const auto v = std::bit_cast<float>(bits);
  if (!std::isfinite(v) || v < 0 || v > 1e6f) return Corrupt("a number of bits is out of range");
  return v;
}

Result<TableInfo> GetTableInfo(ByteReader& in, uint32_t first_column) {
  TableInfo t;
  t.first_column = first_column;
  ASSIGN_OR_RETURN(t.name, GetString(in, 256));
  ASSIGN_OR_RETURN(const size_t columns, GetCount(in));
  if (columns == 0 || columns > kMaxColumns) return Corrupt("a table has an impossible width");
  for (size_t c = 0; c < columns; ++c) {
    ASSIGN_OR_RETURN(std::string name, GetString(in, 64));
    t.columns.push_back(std::move(name));
  }
  ASSIGN_OR_RETURN(const uint64_t rows, GetVarint(in));
  ASSIGN_OR_RETURN(t.all_rows, GetVarint(in));
  if (rows > t.all_rows || rows > UINT32_MAX) return Corrupt("a table has too many rows");
  t.rows = static_cast<uint32_t>(rows);
  ASSIGN_OR_RETURN(t.row_bits, GetFloat(in));
  for (size_t c = 0; c < columns; ++c) {
    ASSIGN_OR_RETURN(const float e, GetFloat(in));
    t.entropy.push_back(e);
  }
  const size_t n = std::min(columns, kMaxFactorColumns);
  ASSIGN_OR_RETURN(const ByteView factor, in.Take(n * n));
  t.factor = ToBytes(factor);
  return t;
}

Result<> GetSection(ByteReader& in, PageList& list, bool keyed, uint64_t end) {
  ASSIGN_OR_RETURN(const uint8_t bits, in.U8());
  ASSIGN_OR_RETURN(const size_t pages, GetCount(in));
  list.bits = bits;
  if (bits > kMaxPageBits || (keyed && pages != size_t{1} << bits)) {
    return Corrupt("a section has an impossible number of pages");
  }
  list.pages.resize(pages);
  for (PageAt& page : list.pages) {
    ASSIGN_OR_RETURN(const uint64_t size, GetVarint(in));
    if (size == 0) continue;
    ASSIGN_OR_RETURN(const uint64_t offset, GetVarint(in));
    if (size > kMaxPage || size > end || offset < kIndexHead || offset > end - size) {
      return Corrupt("a page lies outside of the index");
    }
    page.offset = offset & ((uint64_t{1} << 40) - 1);
    page.size = size & kMaxPage;
  }
  return {};
}

Result<> GetDirectory(ByteReader& in, LeakIndex::Data& data, uint64_t end) {
  LeakIndexStats& stats = data.stats;
  for (uint64_t* v : {&stats.files, &stats.tables, &stats.bytes, &stats.rows}) {
    ASSIGN_OR_RETURN(*v, GetVarint(in));
  }
  for (uint32_t* v : {&stats.row_thinning, &stats.shingle_thinning}) {
    ASSIGN_OR_RETURN(const uint64_t thinning, GetVarint(in));
    if (thinning > 40) return Corrupt("impossible thinning");
    *v = static_cast<uint32_t>(thinning);
  }
  for (uint64_t* v : {&stats.keys, &stats.postings, &stats.shingles}) {
    ASSIGN_OR_RETURN(*v, GetVarint(in));
  }
  ASSIGN_OR_RETURN(const size_t tables, GetCount(in));
  uint64_t rows = 0;
  for (uint32_t t = 0; t < tables; ++t) {
    ASSIGN_OR_RETURN(TableInfo table, GetTableInfo(in, stats.columns));
    stats.columns += static_cast<uint32_t>(table.columns.size());
    if (stats.columns > kMaxAllColumns) return Corrupt("too many columns");
    data.column_table.insert(data.column_table.end(), table.columns.size(), t);
    rows += table.rows;
    data.tables.push_back(std::move(table));
  }
  ASSIGN_OR_RETURN(const uint64_t all, GetVarint(in));
  if (all != rows || rows > UINT32_MAX) return Corrupt("the tables' rows do not add up");
  data.rows = static_cast<uint32_t>(rows);
  for (size_t s = 0; s < kSections; ++s) {
    TRY(GetSection(in, data.sections[s], s != static_cast<size_t>(Section::kRows), end));
  }
  if (data.section(Section::kRows).pages.size() != (rows + kRowsOfPage - 1) / kRowsOfPage) {
    return Corrupt("rows are missing");
  }
  return in.ExpectEnd();
}

// What postings of a section may say.
struct PostingRange {
  uint64_t value = 0, column = 0, count = 0;
};

PostingRange RangeOf(const LeakIndex::Data& data, Section section) {
  const uint64_t rows = data.rows, columns = data.stats.columns;
  switch (section) {
    case Section::kRare:
      return {rows, columns, kRareRows};
    case Section::kCommon:
      return {rows * 4 + 1, columns, columns};
    case Section::kPairs:
      return {rows, 1, kRareRows};
    case Section::kWhole:
      return {rows, 1, 1};
    default:
      return {};
  }
}

Result<Page> GetKeyPage(ByteReader& in, const LeakIndex::Data& data, Section section,
                        uint64_t number) {
  const int bits = data.section(section).bits;
  const PostingRange range = RangeOf(data, section);
  ASSIGN_OR_RETURN(const size_t n, GetCount(in));
  Page page;
  std::vector<uint64_t> keys;
  keys.reserve(n);
  uint64_t last = 0;
  for (size_t i = 0; i < n; ++i) {
    ASSIGN_OR_RETURN(const uint64_t delta, GetVarint(in));
    if ((i > 0 && delta == 0) || delta > kKeyMask - last) return Corrupt("keys are out of order");
    last += delta;
    if (data.section(section).PageOf(last) != number) return Corrupt("a key of another page");
    keys.push_back(last);
    if (section == Section::kShingles) continue;
    page.start.push_back(static_cast<uint32_t>(page.postings.size()));
    ASSIGN_OR_RETURN(const size_t postings, GetCount(in));
    if (postings == 0 || postings > range.count) {
      return Corrupt("a key with an impossible number of postings");
    }
    for (size_t p = 0; p < postings; ++p) {
      ASSIGN_OR_RETURN(const uint64_t value, GetVarint(in));
      ASSIGN_OR_RETURN(const uint64_t column, GetVarint(in));
      if (value >= range.value || column >= range.column) return Corrupt("a posting leads nowhere");
      page.postings.push_back({static_cast<uint32_t>(value), static_cast<uint32_t>(column)});
    }
  }
  page.start.push_back(static_cast<uint32_t>(page.postings.size()));
  page.postings.shrink_to_fit();
  page.keys.Assign(std::move(keys), bits);
  page.memory = sizeof(Page) + n * 24 + page.postings.size() * sizeof(Posting);
  return page;
}

Result<Page> GetRowPage(ByteReader& in, const LeakIndex::Data& data, uint64_t number) {
  Page page;
  const uint64_t n = std::min<uint64_t>(kRowsOfPage, data.rows - number * kRowsOfPage);
  page.rows.reserve(n);
  page.signature_at.reserve(n);
  for (uint64_t i = 0; i < n; ++i) {
    ASSIGN_OR_RETURN(const uint64_t table, GetVarint(in));
    ASSIGN_OR_RETURN(const uint64_t row, GetVarint(in));
    if (table >= data.tables.size() || row > UINT32_MAX) return Corrupt("a row of no table");
    ASSIGN_OR_RETURN(const ByteView signature, in.Take(data.tables[table].columns.size()));
    page.rows.push_back({static_cast<uint32_t>(table), static_cast<uint32_t>(row)});
    page.signature_at.push_back(static_cast<uint32_t>(page.signatures.size()));
    Append(page.signatures, signature);
  }
  page.memory = sizeof(Page) + n * 12 + page.signatures.capacity();
  return page;
}

}  // namespace

Result<Page> LeakIndex::Data::ReadPage(Section section, size_t number) const {
  const PageAt& at = this->section(section).pages[number];
  Bytes bytes(at.size);
  TRY(source->ReadAt(at.offset, bytes));
  ByteReader in(bytes);
  Result<Page> page = section == Section::kRows ? GetRowPage(in, *this, number)
                                                : GetKeyPage(in, *this, section, number);
  if (!page || in.Remaining() != 0) {
    return Corrupt(page ? "a page is too long" : std::move(page.error().message));
  }
  return page;
}

Result<LeakIndex> LeakIndex::Open(ByteView key, std::shared_ptr<const IndexSource> source) {
  if (key.size() != kLeakKeySize) return Fail("crypto.bad_key", "an index key has 32 bytes");
  auto data = std::make_unique<Data>();
  ASSIGN_OR_RETURN(data->hash, KeyedHash::New(key));
  const uint64_t size = source->size();
  if (size < kIndexHead + kIndexFoot || size >> 40 != 0) return Corrupt("no leak index");
  Bytes head(kIndexHead), foot(kIndexFoot);
  TRY(source->ReadAt(0, head));
  TRY(source->ReadAt(size - kIndexFoot, foot));
  if (!AsText(head).starts_with(kIndexMagic)) return Corrupt("no leak index");
  ByteReader in(ByteView(head).subspan(kIndexMagic.size())), at(foot);
  ASSIGN_OR_RETURN(const uint16_t version, in.U16());
  if (version != kIndexVersion) {
    return Fail("gate.index_version", "version " + std::to_string(version));
  }
  ASSIGN_OR_RETURN(const uint64_t check, in.U64());
  if (check != data->hash(KeyKind::kCheck, key.subspan(16))) {
    return Fail("gate.index_key", "the index was built under another key");
  }
  ASSIGN_OR_RETURN(const uint64_t begin, at.U64());
  if (begin < kIndexHead || begin > size - kIndexFoot ||
      size - kIndexFoot - begin > kMaxDirectory) {
    return Corrupt("no directory");
  }
  Bytes directory(size - kIndexFoot - begin);
  TRY(source->ReadAt(begin, directory));
  ByteReader body(directory);
  if (auto got = GetDirectory(body, *data, begin); !got) {
    return Corrupt(std::move(got.error().message));
  }
  data->source = std::move(source);
  return LeakIndex(std::move(data));
}

}  // namespace cce::gate
