// What changed between two snapshots of a dataset, page by page, from their indexes.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "dataset/snapshot_reader.h"
#include "privacy_plane/datasets/datasets.h"

namespace cce::privacy_plane {

// A path for JSON: as it is where it is printable UTF-8 without a backslash, else every byte that
// is not printable ASCII as \xNN. So two paths never look the same.
std::string EscapePath(std::string_view path);

struct DiffPage {
  json::array changes;              // {"path", "change", "before", "after"}
  std::optional<std::string> next;  // the path that the next page begins after
};

struct DiffLimits {
  size_t changes = 1000;        // of one page
  size_t examined = 1'000'000;  // entries looked at for one page: bounds its time
};

// The changes behind the path `after` (empty: all), in path order. "change": "added", "removed",
// "content" (type, size or digest differ) or "attributes" (mode or time alone).
DiffPage DiffIndexes(const dataset::Index& before, const dataset::Index& after_index,
                     std::string_view after, const DiffLimits& limits = {});

// Serves pages, one at a time, with two indexes in memory and no more. Thread-safe.
class SnapshotDiffs {
 public:
  explicit SnapshotDiffs(Datasets& datasets) : datasets_(datasets) {}
  // {"from", "to", "changes", "next" (hex of a path; absent at the end)}. `after`: hex, or empty.
  // Errors: dataset.*, input.malformed, dataset.too_large.
  Result<json::object> Page(const DatasetId& dataset, const SnapshotId& from, const SnapshotId& to,
                            std::string_view after, size_t limit);

 private:
  Datasets& datasets_;
  std::mutex mutex_;
};

}  // namespace cce::privacy_plane
