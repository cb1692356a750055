// The vectors of docs/formats/vectors/dataset: each file is named after the outcome that it must
// have. They were made by tests/make_dataset_vectors.py, which uses none of this code.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "dataset/dataset_fixture.h"
#include "dataset/memory_store.h"

namespace cce::dataset {
namespace {

namespace fs = std::filesystem;

using Lines = std::multimap<std::string, Bytes>;

Lines ReadVector(const fs::path& path) {
  Lines lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t at = line.find(" = ");
    lines.emplace(line.substr(0, at), FromHex(line.substr(at + 3)).value());
  }
  return lines;
}

const Bytes& Only(const Lines& lines, const std::string& name) { return lines.find(name)->second; }

template <size_t N>
ByteArray<N> Array(const Lines& lines, const std::string& name) {
  return ToArray<N>(Only(lines, name)).value();
}

uint32_t Number(const Lines& lines, const std::string& name) {
  return ByteReader(Only(lines, name)).U32().value();
}

// The file a/f, read from the store that the lines name.
Result<Bytes> ReadStore(const Lines& lines) {
  constexpr std::string_view kObject = "object ";
  MemoryStore store;
  for (const auto& [name, bytes] : lines) {
    if (!name.starts_with(kObject)) continue;
    store.Replace(ArrayFromHex<32>(name.substr(kObject.size())).value(), bytes);
  }
  EpochKeys keys;
  keys.emplace(Number(lines, "epoch"), SecretBytes::CopyOf(Only(lines, "dek")));
  ASSIGN_OR_RETURN(const auto reader,
                   SnapshotReader::Open(store, Array<20>(lines, "dataset"),
                                        Array<32>(lines, "snapshot"), std::move(keys)));
  const auto file = reader->index().Find("a/f");
  if (!file) return Fail("dataset.no_match", "no a/f");
  ASSIGN_OR_RETURN(Bytes content, ReadWhole(*reader, *file));
  TRY(reader->VerifyFile(*file));
  return content;
}

// Nothing of a part that is refused stays in the store.
Result<PartReceipt> AcceptWire(const Lines& lines) {
  MemoryStore store;
  const DraftWriter writer(store, kTestDataset, Array<16>(lines, "draft"), kTestEpoch, TestDek());
  const Bytes& wire = Only(lines, "wire");
  Result<PartReceipt> receipt = writer.AcceptPart(Number(lines, "part"), SourceOf(wire));
  if (!receipt) EXPECT_EQ(store.count(), 0u);
  return receipt;
}

std::string OutcomeOf(const Lines& lines) {
  if (lines.contains("wire")) {
    const auto receipt = AcceptWire(lines);
    return receipt ? "ok" : receipt.error().code;
  }
  const auto content = ReadStore(lines);
  if (!content) return content.error().code;
  return *content == Only(lines, "content") ? "ok" : "wrong bytes";
}

TEST(DatasetVectors, HaveTheOutcomeThatTheirNamesSay) {
  size_t count = 0;
  for (const auto& file : fs::directory_iterator(CCE_FORMATS_DIR "/vectors/dataset")) {
    const std::string name = file.path().filename().native();
    EXPECT_EQ(OutcomeOf(ReadVector(file.path())), name.substr(0, name.find('-'))) << name;
    ++count;
  }
  EXPECT_GT(count, 80u);
}

}  // namespace
}  // namespace cce::dataset
