// What the client keeps of an upload under way (uploads/<name>.toml in the configuration folder),
// so that the same path and dataset go on with the same draft, salt and, until it expires, token.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/settings.h"
#include "protocol/upload.h"

namespace cce::cli {

// All that finalize needs.
struct CompleteUpload {
  protocol::Digest32 root{};
  ContentCounts counts;
};

struct UploadState {
  protocol::DatasetId dataset{};
  std::string path;  // absolute, of the folder or file; of a stream "stdin:NAME" or "tar:PATH"
  protocol::DraftId draft{};
  ByteArray<32> salt{};      // of the receipt's root
  UnixSeconds begun_at = 0;  // the time of a file that came from a stream
  unsigned chunk_kib = 64;
  // What is referred to in place of being sent; zeros: nothing. Unset until the first parts are
  // cut.
  std::optional<protocol::SnapshotId> base;
  std::string token;  // bearer; empty: none
  UnixSeconds token_expires_at = 0;
  std::optional<CompleteUpload> complete;  // set once every part is acknowledged

  bool TokenGoodAt(UnixSeconds now) const { return !token.empty() && token_expires_at > now + 60; }
};

std::string EncodeUploadState(const UploadState& state);  // TOML
Result<UploadState> ReadUploadState(const Document& document);

// Kept in files of mode 0600, written whole. Not for two processes at once with one upload.
class UploadStates {
 public:
  static Result<UploadStates> Open(const Settings& settings);

  // The upload of this path to this dataset, or a new one with a random draft and salt (not saved
  // yet). `path` must exist, unless it names a stream.
  Result<UploadState> FindOrNew(const protocol::DatasetId& dataset, const std::string& path) const;
  // All of a dataset. Unreadable files are errors.
  Result<std::vector<UploadState>> OfDataset(const protocol::DatasetId& dataset) const;
  Result<> Save(const UploadState& state) const;
  Result<> Forget(const UploadState& state) const;

 private:
  explicit UploadStates(std::string folder) : folder_(std::move(folder)) {}
  std::string FileOf(const protocol::DatasetId& dataset, const std::string& path) const;
  std::string folder_;
};

}  // namespace cce::cli
