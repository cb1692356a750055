#include "gate/decoder/members.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>
#include <set>

#include "crypto/hash.h"

namespace cce::gate {
namespace {

constexpr size_t kEndOfTar = 1024;             // two blocks of zeros
constexpr uint32_t kFoldersAllowed = 200'000;  // and files

Unexpected Irregular(std::string what) { return Fail("gate.decoder_failed", std::move(what)); }

bool AllZero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t c) { return c == 0; });
}

// Sparse members could claim more than there is: no more bytes than the tar has are taken.
Result<> Digest(archive* a, uint64_t& left, OutputFile& file) {
  crypto::Sha256Stream digest;
  Bytes buffer(size_t{64} << 10);
  for (;;) {
    const la_ssize_t n = archive_read_data(a, buffer.data(), buffer.size());
    if (n == 0) break;
    if (n < 0) return Irregular("a member is cut short");
    if (static_cast<uint64_t>(n) > left) return Irregular("the tar claims more than it has");
    left -= static_cast<uint64_t>(n);
    file.size += static_cast<uint64_t>(n);
    digest.Update(ByteView(buffer).first(static_cast<size_t>(n)));
  }
  file.sha256 = digest.Finish();
  return {};
}

class MemberLister {
 public:
  MemberLister(ByteView tar, uint32_t max_files, const FileSink& sink)
      : tar_(tar), left_(tar.size()), max_files_(max_files), sink_(sink) {}

  Result<uint32_t> List() {
    if (tar_.size() < kEndOfTar || !AllZero(tar_.last(kEndOfTar))) {
      return Irregular("the tar has no end");
    }
    if (AllZero(tar_)) return 0;
    const std::unique_ptr<archive, int (*)(archive*)> a(archive_read_new(), archive_read_free);
    if (!a || archive_read_support_format_tar(a.get()) != ARCHIVE_OK ||
        archive_read_open_memory(a.get(), tar_.data(), tar_.size()) != ARCHIVE_OK) {
      return Irregular("no tar");
    }
    archive_entry* entry = nullptr;
    int status = ARCHIVE_OK;
    while ((status = archive_read_next_header(a.get(), &entry)) == ARCHIVE_OK) {
      TRY(Member(a.get(), entry));
    }
    if (status != ARCHIVE_EOF) return Irregular("the tar is damaged");
    const auto used = static_cast<uint64_t>(archive_filter_bytes(a.get(), -1));
    if (!AllZero(tar_.subspan(std::min<uint64_t>(used, tar_.size())))) {
      return Irregular("bytes stand behind the tar's end");
    }
    return files_;
  }

 private:
  Result<> Member(archive* a, archive_entry* entry) {
    const char* name = archive_entry_pathname_utf8(entry);
    if (name == nullptr) return Irregular("a path is not UTF-8");
    OutputFile file{.path = name};
    const auto type = archive_entry_filetype(entry);
    const bool folder = type == AE_IFDIR;
    const bool link =
        archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr;
    if (link || (!folder && type != AE_IFREG)) {
      return Irregular("a member is neither file nor folder");
    }
    std::string path = file.path;
    if (folder && path.ends_with('/')) path.pop_back();
    if (!GoodPath(path) || !seen_.insert(path).second) {
      return Irregular("a path is hostile, or stands twice");
    }
    if (seen_.size() > kFoldersAllowed) return Irregular("more folders than allowed");
    if (folder) return {};
    if (++files_ > max_files_) return Irregular("more files than allowed");
    TRY(Digest(a, left_, file));
    return sink_(file);
  }

  ByteView tar_;
  uint64_t left_;
  uint32_t max_files_;
  const FileSink& sink_;
  uint32_t files_ = 0;
  std::set<std::string> seen_;
};

}  // namespace

Result<uint32_t> ListMembers(ByteView tar, uint32_t max_files, const FileSink& sink) {
  return MemberLister(tar, max_files, sink).List();
}

}  // namespace cce::gate
