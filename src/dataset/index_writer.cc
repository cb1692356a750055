#include "dataset/index.h"
#include "dataset/index_format.h"
#include "dataset/path.h"

namespace cce::dataset {

IndexWriter::IndexWriter(const DatasetId& dataset, Sink sink)
    : dataset_(dataset), sink_(std::move(sink)) {}

Result<> IndexWriter::Begin() {
  Bytes out = ToBytes(kIndexMagic);
  out.push_back(kIndexVersion);
  out.insert(out.end(), 3, 0);
  Append(out, dataset_);
  return sink_(out);
}

// That `path` stands after the last one, in a folder that was given before.
Result<> IndexWriter::CheckPlace(std::string_view path) {
  TRY(CheckPath(path));
  const auto out_of_order = [&](std::string rule) {
    return Fail(
        MakeError("upload.out_of_order", "the entry '" + ShowPath(path) + "' is out of place")
            .Expected(std::move(rule))
            .Found("after '" + ShowPath(last_path_) + "'"));
  };
  if (entries_ > 0 && ComparePaths(last_path_, path) >= 0) {
    return out_of_order("paths in order, each once");
  }
  const size_t slash = path.rfind('/');
  const std::string_view parent = slash == std::string_view::npos ? "" : path.substr(0, slash);
  if (last_is_folder_ && entries_ > 0) folders_.push_back(last_path_.size());
  while (!folders_.empty() &&
         !(folders_.back() <= parent.size() &&
           parent.substr(0, folders_.back()) ==
               std::string_view(last_path_).substr(0, folders_.back()) &&
           (parent.size() == folders_.back() || parent[folders_.back()] == '/'))) {
    folders_.pop_back();
  }
  if (parent.size() != (folders_.empty() ? 0 : folders_.back())) {
    return out_of_order("a folder before what it holds");
  }
  return {};
}

Result<> IndexWriter::Add(std::string_view path, const IndexEntry& entry) {
  TRY(CheckPlace(path));
  if (entries_ >= kMaxIndexEntries)
    return Fail("dataset.too_large", "a snapshot exceeds 2^31 entries");
  const Attributes& a = entry.attributes;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  Bytes out;
  out.push_back(static_cast<uint8_t>(a.type));
  AppendU16(out, a.mode);
  AppendU16(out, static_cast<uint16_t>(folders_.size()));
  AppendU64(out, static_cast<uint64_t>(a.mtime_ns));
  out.push_back(static_cast<uint8_t>(name.size()));
  Append(out, AsBytes(name));
  switch (a.type) {
    case EntryType::kFolder:
      ++counts_.folders;
      break;
    case EntryType::kLink:
      TRY(CheckLinkTarget(path, entry.target));
      AppendU16(out, static_cast<uint16_t>(entry.target.size()));
      Append(out, entry.digest);
      Append(out, AsBytes(entry.target));
      ++counts_.links;
      break;
    case EntryType::kFile:
      AppendU64(out, a.size);
      Append(out, entry.digest);
      AppendU32(out, static_cast<uint32_t>(entry.extents.size()));
      for (const Extent& extent : entry.extents) {
        AppendU32(out, extent.object);
        AppendU32(out, extent.offset);
        AppendU32(out, extent.length);
      }
      ++counts_.files;
      counts_.bytes += a.size;
      break;
  }
  last_path_ = path;
  last_is_folder_ = a.type == EntryType::kFolder;
  ++entries_;
  return sink_(out);
}

Result<> IndexWriter::Finish(const std::vector<IndexObject>& objects) {
  Bytes out;
  for (const IndexObject& object : objects) {
    Append(out, object.name);
    Append(out, object.header);
    AppendU64(out, object.sealed_size);
    AppendU32(out, object.epoch);
  }
  AppendU64(out, entries_);
  AppendU64(out, objects.size());
  AppendU64(out, counts_.files);
  AppendU64(out, counts_.folders);
  AppendU64(out, counts_.links);
  AppendU64(out, counts_.bytes);
  Append(out, AsBytes(kIndexEndMagic));
  return sink_(out);
}

}  // namespace cce::dataset
