// The leak index as bytes (docs/formats/gate.md, "Leak index"). Read back as if hostile: it was
// sealed, but costs nothing to check.
#include <bit>
#include <cmath>

#include "gate/index_data.h"

namespace cce::gate {
namespace {

constexpr std::string_view kMagic = "CCELIX";
constexpr uint16_t kVersion = 1;

Unexpected Corrupt(std::string what) { return Fail("gate.index_corrupt", std::move(what)); }

void PutVarint(Bytes& out, uint64_t v) {
  while (v >= 0x80) {
    out.push_back(static_cast<uint8_t>(v | 0x80));
    v >>= 7;
  }
  out.push_back(static_cast<uint8_t>(v));
}

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

void PutString(Bytes& out, std::string_view s) {
  PutVarint(out, s.size());
  Append(out, AsBytes(s));
}

Result<std::string> GetString(ByteReader& in, size_t max) {
  ASSIGN_OR_RETURN(const size_t n, GetCount(in));
  if (n > max) return Corrupt("a name is too long");
  ASSIGN_OR_RETURN(const ByteView bytes, in.Take(n));
  return std::string(AsText(bytes));
}

void PutFloat(Bytes& out, float v) { AppendU32(out, std::bit_cast<uint32_t>(v)); }

Result<float> GetFloat(ByteReader& in) {
  ASSIGN_OR_RETURN(const uint32_t bits, in.U32());
  const auto v = std::bit_cast<float>(bits);
  if (!std::isfinite(v) || v < 0 || v > 1e6f) return Corrupt("a number of bits is out of range");
  return v;
}

void PutKeys(Bytes& out, const KeySet& keys) {
  PutVarint(out, keys.size());
  uint64_t last = 0;
  for (const uint64_t k : keys.keys()) {
    PutVarint(out, k - last);
    last = k;
  }
}

Result<std::vector<uint64_t>> GetKeys(ByteReader& in) {
  ASSIGN_OR_RETURN(const size_t n, GetCount(in));
  std::vector<uint64_t> keys;
  keys.reserve(n);
  uint64_t last = 0;
  for (size_t i = 0; i < n; ++i) {
    ASSIGN_OR_RETURN(const uint64_t delta, GetVarint(in));
    if ((i > 0 && delta == 0) || delta > kKeyMask - last) return Corrupt("keys are out of order");
    last += delta;
    keys.push_back(last);
  }
  return keys;
}

void PutTable(Bytes& out, const PostingTable& table) {
  PutKeys(out, table.keys);
  for (size_t i = 0; i < table.keys.size(); ++i) {
    PutVarint(out, table.start[i + 1] - table.start[i]);
    for (uint32_t p = table.start[i]; p < table.start[i + 1]; ++p) {
      PutVarint(out, table.postings[p].value);
      PutVarint(out, table.postings[p].column);
    }
  }
}

Result<PostingTable> GetTable(ByteReader& in, uint64_t max_value, uint64_t columns,
                              size_t max_postings = SIZE_MAX) {
  PostingTable out;
  ASSIGN_OR_RETURN(std::vector<uint64_t> keys, GetKeys(in));
  for (size_t i = 0; i < keys.size(); ++i) {
    out.start.push_back(static_cast<uint32_t>(out.postings.size()));
    ASSIGN_OR_RETURN(const size_t n, GetCount(in));
    if (n == 0 || n > max_postings) return Corrupt("a key with an impossible number of postings");
    for (size_t p = 0; p < n; ++p) {
      ASSIGN_OR_RETURN(const uint64_t value, GetVarint(in));
      ASSIGN_OR_RETURN(const uint64_t column, GetVarint(in));
      if (value >= max_value || column >= std::max<uint64_t>(columns, 1)) {
        return Corrupt("a posting leads nowhere");
      }
      out.postings.push_back({static_cast<uint32_t>(value), static_cast<uint32_t>(column)});
    }
  }
  if (out.postings.size() > UINT32_MAX) return Corrupt("too many postings");
  out.start.push_back(static_cast<uint32_t>(out.postings.size()));
  out.keys.Assign(std::move(keys));
  return out;
}

void PutTableInfo(Bytes& out, const TableInfo& t) {
  PutString(out, t.name);
  PutVarint(out, t.columns.size());
  for (const std::string& c : t.columns) PutString(out, c);
  PutVarint(out, t.rows);
  PutVarint(out, t.all_rows);
  PutFloat(out, t.row_bits);
  for (const float e : t.entropy) PutFloat(out, e);
  Append(out, t.factor);
  Append(out, t.signature);
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
  if (rows > t.all_rows || rows > in.Remaining() / columns)
    return Corrupt("a table has too many rows");
  t.rows = static_cast<uint32_t>(rows);
  ASSIGN_OR_RETURN(t.row_bits, GetFloat(in));
  for (size_t c = 0; c < columns; ++c) {
    ASSIGN_OR_RETURN(const float e, GetFloat(in));
    t.entropy.push_back(e);
  }
  const size_t n = std::min(columns, kMaxFactorColumns);
  ASSIGN_OR_RETURN(const ByteView factor, in.Take(n * n));
  t.factor = ToBytes(factor);
  ASSIGN_OR_RETURN(const ByteView signature, in.Take(rows * columns));
  t.signature = ToBytes(signature);
  return t;
}

Result<> GetRows(ByteReader& in, LeakIndex::Data& data) {
  std::vector<uint32_t> counts(data.tables.size(), 0);
  ASSIGN_OR_RETURN(const size_t rows, GetCount(in));
  data.rows.reserve(rows);
  for (size_t i = 0; i < rows; ++i) {
    ASSIGN_OR_RETURN(const uint64_t table, GetVarint(in));
    ASSIGN_OR_RETURN(const uint64_t number, GetVarint(in));
    if (table >= data.tables.size() || number > UINT32_MAX) return Corrupt("a row of no table");
    data.rows.push_back(
        {static_cast<uint32_t>(table), counts[table]++, static_cast<uint32_t>(number)});
  }
  for (size_t t = 0; t < counts.size(); ++t) {
    if (counts[t] != data.tables[t].rows) return Corrupt("a table lacks rows");
  }
  return {};
}

Result<> GetBody(ByteReader& in, LeakIndex::Data& data) {
  for (uint64_t* v : {&data.stats.files, &data.stats.tables, &data.stats.bytes, &data.stats.rows}) {
    ASSIGN_OR_RETURN(*v, GetVarint(in));
  }
  for (uint32_t* v : {&data.stats.row_thinning, &data.stats.shingle_thinning}) {
    ASSIGN_OR_RETURN(const uint64_t thinning, GetVarint(in));
    if (thinning > 40) return Corrupt("impossible thinning");
    *v = static_cast<uint32_t>(thinning);
  }
  ASSIGN_OR_RETURN(const size_t tables, GetCount(in));
  for (uint32_t t = 0; t < tables; ++t) {
    ASSIGN_OR_RETURN(TableInfo table, GetTableInfo(in, data.stats.columns));
    data.stats.columns += static_cast<uint32_t>(table.columns.size());
    data.column_table.insert(data.column_table.end(), table.columns.size(), t);
    data.tables.push_back(std::move(table));
  }
  TRY(GetRows(in, data));
  const uint64_t rows = data.rows.size(), columns = data.stats.columns;
  ASSIGN_OR_RETURN(data.rare, GetTable(in, rows, columns, kRareRows));
  ASSIGN_OR_RETURN(data.common, GetTable(in, rows * 4 + 1, columns));
  ASSIGN_OR_RETURN(data.pairs, GetTable(in, rows, 1));
  ASSIGN_OR_RETURN(data.whole, GetTable(in, rows, 1));
  for (const Posting& p : data.rare.postings) {
    if (data.column_table[p.column] != data.rows[p.value].table)
      return Corrupt("a posting crosses tables");
  }
  ASSIGN_OR_RETURN(std::vector<uint64_t> shingles, GetKeys(in));
  data.shingles.Assign(std::move(shingles));
  return in.ExpectEnd();
}

}  // namespace

Bytes LeakIndex::Serialize() const {
  const Data& d = *data_;
  Bytes out = ToBytes(kMagic);
  AppendU16(out, kVersion);
  AppendU64(out, d.check);
  for (const uint64_t v : {d.stats.files, d.stats.tables, d.stats.bytes, d.stats.rows,
                           uint64_t{d.stats.row_thinning}, uint64_t{d.stats.shingle_thinning}}) {
    PutVarint(out, v);
  }
  PutVarint(out, d.tables.size());
  for (const TableInfo& t : d.tables) PutTableInfo(out, t);
  PutVarint(out, d.rows.size());
  for (const RowInfo& r : d.rows) {
    PutVarint(out, r.table);
    PutVarint(out, r.number);
  }
  for (const PostingTable* t : {&d.rare, &d.common, &d.pairs, &d.whole}) PutTable(out, *t);
  PutKeys(out, d.shingles);
  return out;
}

Result<LeakIndex> LeakIndex::Deserialize(ByteView key, ByteView bytes) {
  if (key.size() != kLeakKeySize) return Fail("crypto.bad_key", "an index key has 32 bytes");
  auto data = std::make_unique<Data>();
  ASSIGN_OR_RETURN(data->hash, KeyedHash::New(key));
  if (bytes.size() < kMagic.size() + 10 || AsText(bytes.first(kMagic.size())) != kMagic) {
    return Corrupt("no leak index");
  }
  ByteReader in(bytes.subspan(kMagic.size()));
  ASSIGN_OR_RETURN(const uint16_t version, in.U16());
  if (version != kVersion) return Fail("gate.index_version", "version " + std::to_string(version));
  ASSIGN_OR_RETURN(data->check, in.U64());
  if (data->check != data->hash(KeyKind::kCheck, key.subspan(16))) {
    return Fail("gate.index_key", "the index was built under another key");
  }
  if (auto body = GetBody(in, *data); !body) {
    return Corrupt(std::move(body.error().message));
  }
  data->stats.keys = data->rare.keys.size() + data->common.keys.size();
  data->stats.postings = data->rare.postings.size() + data->pairs.postings.size();
  data->stats.shingles = data->shingles.size();
  return LeakIndex(std::move(data));
}

}  // namespace cce::gate
