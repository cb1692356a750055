#include "manifest/output_listing.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>

#include "base/utf8_locale.h"

namespace cce::manifest {
namespace {

constexpr size_t kMaxMembers = 200'000;
constexpr size_t kBuffer = size_t{64} << 10;

using Archive = std::unique_ptr<archive, int (*)(archive*)>;

Unexpected Refused(std::string message) {
  return Fail(MakeError("manifest.result_mismatch", std::move(message))
                  .Expected("a tar of regular files and folders"));
}

Unexpected Damaged(archive* handle) {
  const char* words = handle == nullptr ? nullptr : archive_error_string(handle);
  return Refused(std::string("the output's tar is damaged: ") +
                 (words == nullptr ? "no reason given" : words));
}

// Whoever unpacks what was verified must not be led elsewhere.
bool StaysBelow(std::string_view path) {
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    path.remove_prefix(std::min(part.size() + 1, path.size()));
  }
  return true;
}

// Sparse members could claim more than there is: no more bytes than the tar has are taken.
Result<crypto::Sha256Digest> DigestOf(archive* handle, uint64_t& left) {
  crypto::Sha256Stream digest;
  Bytes buffer(kBuffer);
  while (true) {
    const la_ssize_t n = archive_read_data(handle, buffer.data(), buffer.size());
    if (n < 0) return Damaged(handle);
    if (n == 0) return digest.Finish();
    if (static_cast<uint64_t>(n) > left) return Refused("the output's tar claims more than it has");
    left -= static_cast<uint64_t>(n);
    digest.Update(ByteView(buffer).first(static_cast<size_t>(n)));
  }
}

}  // namespace

Result<std::map<std::string, crypto::Sha256Digest>> ListOutput(ByteView tar) {
  const Utf8Locale utf8;
  const Archive reader(archive_read_new(), archive_read_free);
  if (!reader || archive_read_support_format_tar(reader.get()) != ARCHIVE_OK ||
      archive_read_open_memory(reader.get(), tar.data(), tar.size()) != ARCHIVE_OK) {
    return Damaged(reader.get());
  }
  std::map<std::string, crypto::Sha256Digest> out;
  uint64_t left = tar.size();
  for (size_t members = 0; members < kMaxMembers; ++members) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return out;
    if (status != ARCHIVE_OK) return Damaged(reader.get());
    const char* name = archive_entry_pathname_utf8(entry);
    if (name == nullptr) return Refused("the output's tar holds a path that is not UTF-8");
    const bool link = archive_entry_hardlink(entry) != nullptr;
    const auto type = archive_entry_filetype(entry);
    const std::string path = name;
    if (path.empty() || !StaysBelow(path)) return Refused("'" + path + "' leads elsewhere");
    if (!link && type == AE_IFDIR) continue;
    if (link || type != AE_IFREG) return Refused("'" + path + "' is neither file nor folder");
    ASSIGN_OR_RETURN(const crypto::Sha256Digest digest, DigestOf(reader.get(), left));
    if (!out.emplace(path, digest).second) return Refused("'" + path + "' stands twice");
  }
  return Refused("the output's tar holds too many members");
}

}  // namespace cce::manifest
