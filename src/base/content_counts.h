// What a snapshot holds, counted: the same in the upload, the receipt, the journal and the replies.
#pragma once

#include <cstdint>

#include "base/json.h"

namespace cce {

struct ContentCounts {
  uint64_t files = 0;
  uint64_t folders = 0;
  uint64_t links = 0;
  uint64_t bytes = 0;  // of files
  bool operator==(const ContentCounts&) const = default;
};

// Members `files`, `folders`, `links`, `bytes`.
json::object ToJsonObject(const ContentCounts& counts);
// `fields` may have further members; zeros where it has failed (Finish tells).
ContentCounts ReadContentCounts(Fields fields);
// "3 files, 1 folders, 0 links, 60 bytes": for error texts.
std::string ShowContentCounts(const ContentCounts& counts);

}  // namespace cce
