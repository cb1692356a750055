#include "base/content_counts.h"

namespace cce {

json::object ToJsonObject(const ContentCounts& counts) {
  return {{"files", counts.files},
          {"folders", counts.folders},
          {"links", counts.links},
          {"bytes", counts.bytes}};
}

ContentCounts ReadContentCounts(Fields fields) {
  return {.files = fields.Uint("files", {}),
          .folders = fields.Uint("folders", {}),
          .links = fields.Uint("links", {}),
          .bytes = fields.Uint("bytes", {})};
}

std::string ShowContentCounts(const ContentCounts& counts) {
  return std::to_string(counts.files) + " files, " + std::to_string(counts.folders) + " folders, " +
         std::to_string(counts.links) + " links, " + std::to_string(counts.bytes) + " bytes";
}

}  // namespace cce
