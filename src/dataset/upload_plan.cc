#include "dataset/upload_plan.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <thread>
#include <unordered_map>

#include "base/file.h"
#include "dataset/known_files.h"
#include "dataset/path.h"

namespace cce::dataset {
namespace {

// Far below PartLimits::max_head_bytes, for any server's setting.
constexpr uint64_t kMaxPlannedHeadBytes = uint64_t{4} << 20;
constexpr size_t kReadSlice = size_t{1} << 20;

constexpr uint32_t kNotSame = UINT32_MAX;

struct PlanEntry {
  uint64_t path_at = 0;      // in the plan's names
  uint32_t same = kNotSame;  // the base's entry with the same content
  uint16_t path_size = 0;
  Attributes attributes;
  Digest digest{};  // known once its part was read; of files over one leaf only their leaves
};

// The pieces of a part are those of consecutive entries; only the first may begin inside its file,
// and a piece that does not end its file is alone.
struct PartSpan {
  uint32_t first = 0;
  uint32_t count = 0;
  uint64_t first_offset = 0;
  uint64_t payload = 0;
  uint64_t head_bytes = 0;
};

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Unexpected FileChanged(std::string_view path) {
  return Fail("upload.file_changed", "'" + ShowPath(path) + "' changed after the folder was read");
}

// That the open file is still what the walk saw.
Result<> CheckUnchanged(int fd, std::string_view path, const Attributes& attributes) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return FailErrno(ShowPath(path), errno);
  if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) != attributes.size ||
      Nanoseconds(info.st_mtim) != attributes.mtime_ns) {
    return FileChanged(path);
  }
  return {};
}

// One read of up to room.size() bytes, at least one.
Result<size_t> ReadSome(int fd, uint64_t at, std::span<uint8_t> room, std::string_view path) {
  ssize_t n = -1;
  do {
    n = ::pread(fd, room.data(), room.size(), static_cast<off_t>(at));
  } while (n < 0 && errno == EINTR);
  if (n < 0) return FailErrno(ShowPath(path), errno);
  if (n == 0) return FileChanged(path);
  return static_cast<size_t>(n);
}

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

Result<std::vector<std::string>> SortedNames(int root, const std::string& folder) {
  UniqueFd fd(::openat(root, folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(ShowPath(folder), errno);
  const std::unique_ptr<DIR, DirCloser> dir(::fdopendir(fd.get()));
  if (dir == nullptr) return FailErrno(ShowPath(folder), errno);
  fd.Release();
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return FailErrno(ShowPath(folder), errno);
  std::sort(names.begin(), names.end());
  return names;
}

// The entries in path order, the last one of each path, with the folders that they stand in.
Result<std::vector<SpooledEntry>> InPathOrder(std::vector<SpooledEntry> entries) {
  std::vector<size_t> order(entries.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) {
    const int compared = ComparePaths(entries[a].path, entries[b].path);
    return compared != 0 ? compared < 0 : a < b;
  });
  std::vector<SpooledEntry> out;
  std::vector<std::string> folders;  // that the entry before stands in, itself included; with '/'
  for (size_t i = 0; i < order.size(); ++i) {
    SpooledEntry& entry = entries[order[i]];
    if (i + 1 < order.size() && entry.path == entries[order[i + 1]].path) continue;
    while (!folders.empty() && !entry.path.starts_with(folders.back())) folders.pop_back();
    size_t slash = entry.path.find('/', folders.empty() ? 0 : folders.back().size());
    for (; slash != std::string::npos; slash = entry.path.find('/', slash + 1)) {
      const std::string folder = entry.path.substr(0, slash);
      if (!out.empty() && out.back().path == folder) {
        return Fail("dataset.bad_path",
                    "'" + ShowPath(entry.path) + "' stands in what is no folder");
      }
      out.push_back(
          {.path = folder,
           .attributes = {
               .type = EntryType::kFolder, .mode = 0755, .mtime_ns = entry.attributes.mtime_ns}});
      folders.push_back(folder + "/");
    }
    if (entry.attributes.type == EntryType::kFolder) folders.push_back(entry.path + "/");
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace

struct UploadPlan::Impl {
  PlanOptions options;
  UniqueFd root;                       // of a folder
  UniqueFd spool;                      // of a stream
  std::vector<uint64_t> spool_places;  // of each entry's content
  SnapshotId base{};                   // zeros: nothing is referred to
  std::string names;                   // all paths, end to end
  std::vector<PlanEntry> entries;
  std::unordered_map<uint32_t, std::string> targets;
  std::unordered_map<uint32_t, std::vector<Digest>> leaves;  // of files over one leaf
  std::vector<PartSpan> parts;
  std::vector<std::atomic<bool>> read;  // per part
  ContentCounts counts;

  std::string_view Path(uint32_t entry) const {
    return std::string_view(names).substr(entries[entry].path_at, entries[entry].path_size);
  }

  // Bytes of content to send.
  static uint64_t SizeToSend(const PlanEntry& e) {
    return e.same == kNotSame ? e.attributes.size : 0;
  }
  uint64_t PieceLength(const PlanEntry& e, uint64_t offset) const {
    return std::min(SizeToSend(e) - offset, options.piece_size);
  }

  // A file's content: a descriptor of its own, or the spool's.
  struct Content {
    UniqueFd own;
    int fd = -1;
    uint64_t start = 0;
  };
  Result<Content> OpenContent(uint32_t entry) const {
    Content content;
    if (spool.valid()) {
      content.fd = spool.get();
      content.start = spool_places[entry];
      return content;
    }
    const std::string path(Path(entry));
    content.own = UniqueFd(
        ::openat(root.get(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (!content.own.valid()) return FailErrno(ShowPath(path), errno);
    content.fd = content.own.get();
    TRY(CheckUnchanged(content.fd, path, entries[entry].attributes));
    return content;
  }
  Result<> CloseContent(const Content& content, uint32_t entry) const {
    if (!content.own.valid()) return {};
    return CheckUnchanged(content.fd, Path(entry), entries[entry].attributes);
  }

  Result<> AddEntry(std::string_view path, const Attributes& attributes, std::string target) {
    if (entries.size() >= UINT32_MAX / 2) {
      return Fail("dataset.too_large", "more than 2^31 entries");
    }
    const auto id = static_cast<uint32_t>(entries.size());
    switch (attributes.type) {
      case EntryType::kFile:
        ++counts.files;
        counts.bytes += attributes.size;
        if (attributes.size > kDigestLeaf) leaves[id].resize(LeafCount(attributes.size));
        break;
      case EntryType::kFolder:
        ++counts.folders;
        break;
      case EntryType::kLink:
        targets[id] = std::move(target);
        ++counts.links;
        break;
    }
    entries.push_back({.path_at = names.size(),
                       .path_size = static_cast<uint16_t>(path.size()),
                       .attributes = attributes});
    names += path;
    return {};
  }

  Result<> ScanFolder(const std::string& folder) {
    ASSIGN_OR_RETURN(const std::vector<std::string> found,
                     SortedNames(root.get(), folder.empty() ? "." : folder));
    const std::string prefix = folder.empty() ? "" : folder + "/";
    for (const std::string& name : found) TRY(ScanEntry(prefix + name));
    return {};
  }

  Result<> ScanEntry(const std::string& path) {
    TRY(CheckPath(path));
    struct stat info{};
    if (::fstatat(root.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return FailErrno(ShowPath(path), errno);
    }
    Attributes attributes{.mode = static_cast<uint16_t>(info.st_mode & 07777),
                          .mtime_ns = Nanoseconds(info.st_mtim)};
    std::string target;
    if (S_ISREG(info.st_mode)) {
      attributes.type = EntryType::kFile;
      attributes.size = static_cast<uint64_t>(info.st_size);
    } else if (S_ISDIR(info.st_mode)) {
      attributes.type = EntryType::kFolder;
    } else if (S_ISLNK(info.st_mode)) {
      attributes.type = EntryType::kLink;
      ASSIGN_OR_RETURN(target, ReadTarget(path));
      attributes.size = target.size();
    } else {
      return Fail(MakeError("upload.refused_kind", "'" + ShowPath(path) + "' cannot be uploaded")
                      .Expected("a file, a folder or a symbolic link")
                      .Found("a device, socket or pipe"));
    }
    TRY(AddEntry(path, attributes, std::move(target)));
    if (S_ISDIR(info.st_mode)) return ScanFolder(path);
    return {};
  }

  Result<std::string> ReadTarget(const std::string& path) const {
    std::string target(kMaxLinkTarget + 1, '\0');
    const ssize_t n = ::readlinkat(root.get(), path.c_str(), target.data(), target.size());
    if (n < 0) return FailErrno(ShowPath(path), errno);
    target.resize(static_cast<size_t>(n));
    TRY(CheckLinkTarget(path, target));
    return target;
  }

  // Digests one file whole.
  Result<Digest> DigestFile(uint32_t entry, Bytes& buffer, const Comparison& comparison) const {
    const Attributes& a = entries[entry].attributes;
    ASSIGN_OR_RETURN(const Content content, OpenContent(entry));
    TreeHasher tree;
    PieceHasher hasher;
    for (uint64_t at = 0; at < a.size;) {
      const size_t want = std::min<uint64_t>(buffer.size(), a.size - at);
      ASSIGN_OR_RETURN(const size_t n, ReadSome(content.fd, content.start + at,
                                                std::span(buffer).first(want), Path(entry)));
      hasher.Update(ByteView(buffer).first(n));
      at += n;
      if (comparison.progress) comparison.progress(n, at == a.size);
    }
    for (const Digest& leaf : hasher.Finish()) tree.AddLeafHash(leaf);
    TRY(CloseContent(content, entry));
    return tree.Root();
  }

  // Marks the files that the base holds.
  Result<> Compare(const Comparison& comparison) {
    if (comparison.known == nullptr) return {};
    std::vector<uint32_t> candidates;
    for (uint32_t i = 0; i < entries.size(); ++i) {
      const Attributes& a = entries[i].attributes;
      if (a.type == EntryType::kFile && a.size > 0 && comparison.known->HasSize(a.size)) {
        candidates.push_back(i);
      }
    }
    std::atomic<size_t> next{0};
    std::mutex mutex;
    std::optional<Error> error;
    const auto work = [&] {
      Bytes buffer(kReadSlice);
      for (size_t i = next++; i < candidates.size(); i = next++) {
        PlanEntry& entry = entries[candidates[i]];
        const Result<Digest> digest = DigestFile(candidates[i], buffer, comparison);
        if (!digest) {
          const std::lock_guard lock(mutex);
          if (!error) error = digest.error();
          next = candidates.size();
          return;
        }
        if (const auto same = comparison.known->Find(entry.attributes.size, *digest)) {
          entry.same = *same;
          entry.digest = *digest;
        }
      }
    };
    std::vector<std::thread> threads;
    const size_t count = std::min<size_t>(comparison.threads, candidates.size());
    for (size_t i = 1; i < count; ++i) threads.emplace_back(work);
    if (count > 0) work();
    for (std::thread& thread : threads) thread.join();
    if (error) return Fail(std::move(*error));
    for (const uint32_t i : candidates) {
      if (entries[i].same != kNotSame) leaves.erase(i);
    }
    base = comparison.known->base();
    return {};
  }

  void CutIntoParts() {
    PartSpan part;
    const auto close = [&] {
      if (part.count > 0) parts.push_back(std::exchange(part, {}));
    };
    const auto add = [&](uint32_t entry, uint64_t offset) {
      const PlanEntry& e = entries[entry];
      if (part.count == 0) part = {.first = entry, .first_offset = offset};
      ++part.count;
      part.payload += PieceLength(e, offset);
      part.head_bytes += kPieceHeadSize + e.path_size + (e.same == kNotSame ? 0 : kSameSize);
    };
    for (uint32_t i = 0; i < entries.size(); ++i) {
      const uint64_t size = SizeToSend(entries[i]);
      const bool full = (part.payload > 0 && part.payload + size > options.pack_target) ||
                        part.count >= options.max_records ||
                        part.head_bytes >= kMaxPlannedHeadBytes;
      if (full || size > options.pack_target) close();
      uint64_t offset = 0;
      for (; size - offset > options.piece_size; offset += options.piece_size) {
        add(i, offset);
        close();
      }
      add(i, offset);
    }
    close();
    read = std::vector<std::atomic<bool>>(parts.size());
  }
};

// Named in the header only as PartReader.
class PlanPartReader : public PartReader {
 public:
  PlanPartReader(UploadPlan::Impl& plan, uint32_t part, const DraftId& draft)
      : plan_(plan), part_(part), span_(plan.parts[part]) {
    AppendPartHeader(pending_, {.draft = draft,
                                .part = part,
                                .records = span_.count,
                                .payload = span_.payload,
                                .chunk_log2 = plan.options.chunk_log2,
                                .base = HasReference() ? plan.base : SnapshotId{}});
    digester_.Header(pending_);
  }

  uint64_t wire_size() const override {
    return kPartHeaderSize + span_.head_bytes + span_.payload + kPartTrailerSize;
  }
  Digest digest() const override { return digest_; }

  Result<size_t> Read(std::span<uint8_t> out) override {
    size_t done = 0;
    while (done < out.size()) {
      const std::span<uint8_t> room = out.subspan(done);
      if (sent_ < pending_.size()) {
        const size_t n = std::min(room.size(), pending_.size() - sent_);
        std::copy_n(pending_.begin() + static_cast<ptrdiff_t>(sent_), n, room.begin());
        sent_ += n;
        done += n;
      } else if (left_ > 0) {
        ASSIGN_OR_RETURN(const size_t n, ReadFileSlice(room));
        done += n;
      } else if (in_piece_) {
        TRY(EndPiece());
      } else if (next_ < span_.count) {
        TRY(BeginPiece());
      } else if (!ended_) {
        ended_ = true;
        digest_ = digester_.Finish();
        Queue(ToBytes(ByteView(digest_)));
        plan_.read[part_].store(true, std::memory_order_release);
      } else {
        break;
      }
    }
    return done;
  }

 private:
  using Impl = UploadPlan::Impl;

  bool HasReference() const {
    for (uint32_t i = span_.first; i < span_.first + span_.count; ++i) {
      if (plan_.entries[i].same != kNotSame) return true;
    }
    return false;
  }

  void Queue(Bytes bytes) {
    pending_ = std::move(bytes);
    sent_ = 0;
  }

  Result<> BeginPiece() {
    entry_ = span_.first + next_;
    const PlanEntry& entry = plan_.entries[entry_];
    const Attributes& a = entry.attributes;
    PieceHead head{.attributes = a,
                   .offset = next_ == 0 ? span_.first_offset : 0,
                   .path = std::string(plan_.Path(entry_))};
    head.length = plan_.PieceLength(entry, head.offset);
    head.last = head.offset + head.length == Impl::SizeToSend(entry);
    if (entry.same != kNotSame) head.same = {.entry = entry.same, .digest = entry.digest};
    ++next_;
    in_piece_ = true;
    offset_ = head.offset;
    head_.clear();
    AppendPieceHead(head_, head);
    Bytes bytes = head_;
    if (a.type == EntryType::kLink) {
      const std::string& target = plan_.targets.at(entry_);
      hasher_.Update(AsBytes(target));
      Append(bytes, AsBytes(target));
    } else if (a.type == EntryType::kFile && head.length > 0) {
      ASSIGN_OR_RETURN(content_, plan_.OpenContent(entry_));
      left_ = head.length;
      at_ = content_.start + head.offset;
    }
    Queue(std::move(bytes));
    return {};
  }

  Result<size_t> ReadFileSlice(std::span<uint8_t> room) {
    const size_t want = std::min<uint64_t>({room.size(), left_, kReadSlice});
    ASSIGN_OR_RETURN(const size_t got,
                     ReadSome(content_.fd, at_, room.first(want), plan_.Path(entry_)));
    hasher_.Update(room.first(got));
    left_ -= got;
    at_ += got;
    return got;
  }

  Result<> EndPiece() {
    PlanEntry& entry = plan_.entries[entry_];
    TRY(plan_.CloseContent(content_, entry_));
    content_ = {};
    const std::vector<Digest> leaves = hasher_.Finish();
    digester_.Piece(head_, leaves);
    const auto split = plan_.leaves.find(entry_);
    if (split != plan_.leaves.end()) {
      std::copy(leaves.begin(), leaves.end(),
                split->second.begin() + static_cast<ptrdiff_t>(offset_ / kDigestLeaf));
    } else if (entry.attributes.type != EntryType::kFolder && entry.same == kNotSame) {
      entry.digest = leaves.empty() ? TreeHasher().Root() : leaves.front();
    }
    in_piece_ = false;
    return {};
  }

  UploadPlan::Impl& plan_;
  const uint32_t part_;
  const PartSpan& span_;
  PartDigester digester_;
  PieceHasher hasher_;
  Digest digest_{};
  Bytes pending_;  // header, head or trailer on its way out
  size_t sent_ = 0;
  Bytes head_;  // of the piece under way
  uint32_t next_ = 0;
  uint32_t entry_ = 0;
  uint64_t offset_ = 0;
  bool in_piece_ = false;
  bool ended_ = false;
  Impl::Content content_;
  uint64_t left_ = 0;
  uint64_t at_ = 0;
};

UploadPlan::UploadPlan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UploadPlan::UploadPlan(UploadPlan&&) noexcept = default;
UploadPlan& UploadPlan::operator=(UploadPlan&&) noexcept = default;
UploadPlan::~UploadPlan() = default;

Result<UploadPlan> UploadPlan::Finish(std::unique_ptr<Impl> impl, const Comparison& comparison) {
  const PlanOptions& options = impl->options;
  if (options.pack_target > options.piece_size || options.piece_size > kMaxObjectPlain ||
      options.piece_size == 0 || options.piece_size % kDigestLeaf != 0 ||
      options.max_records == 0) {
    return Fail("internal.bug", "plan options outside their limits");
  }
  TRY(impl->Compare(comparison));
  impl->CutIntoParts();
  return UploadPlan(std::move(impl));
}

Result<UploadPlan> UploadPlan::Scan(const std::string& path, const PlanOptions& options,
                                    const Comparison& comparison) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return FailErrno(path, errno);
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  std::filesystem::path folder(path);
  const bool whole_folder = S_ISDIR(info.st_mode);
  const std::string name = folder.filename();
  if (!whole_folder) folder = folder.has_parent_path() ? folder.parent_path() : ".";
  impl->root = UniqueFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!impl->root.valid()) return FailErrno(folder.native(), errno);
  if (whole_folder) {
    TRY(impl->ScanFolder(""));
  } else {
    TRY(impl->ScanEntry(name));
  }
  return Finish(std::move(impl), comparison);
}

Result<UploadPlan> UploadPlan::FromSpool(UniqueFd spool, std::vector<SpooledEntry> entries,
                                         const PlanOptions& options, const Comparison& comparison) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->spool = std::move(spool);
  for (const SpooledEntry& entry : entries) {
    TRY(CheckPath(entry.path));
    if (entry.attributes.type == EntryType::kLink) TRY(CheckLinkTarget(entry.path, entry.target));
  }
  ASSIGN_OR_RETURN(entries, InPathOrder(std::move(entries)));
  for (SpooledEntry& entry : entries) {
    impl->spool_places.push_back(entry.at);
    TRY(impl->AddEntry(entry.path, entry.attributes, std::move(entry.target)));
  }
  return Finish(std::move(impl), comparison);
}

const ContentCounts& UploadPlan::counts() const { return impl_->counts; }

uint32_t UploadPlan::part_count() const { return static_cast<uint32_t>(impl_->parts.size()); }

uint64_t UploadPlan::PartPayload(uint32_t part) const { return impl_->parts[part].payload; }

uint64_t UploadPlan::PartSealed(uint32_t part) const {
  const uint64_t payload = PartPayload(part);
  return payload == 0 ? 0
                      : crypto::StreamSealedSize(PaddedSize(payload), impl_->options.chunk_log2);
}

uint64_t UploadPlan::PartRecords(uint32_t part) const { return impl_->parts[part].count; }

uint64_t UploadPlan::PartSame(uint32_t part) const {
  const PartSpan& span = impl_->parts[part];
  uint64_t bytes = 0;
  for (uint32_t i = span.first; i < span.first + span.count; ++i) {
    const PlanEntry& entry = impl_->entries[i];
    if (entry.attributes.type == EntryType::kFile) {
      bytes += entry.attributes.size - Impl::SizeToSend(entry);
    }
  }
  return bytes;
}

uint64_t UploadPlan::PartFiles(uint32_t part) const {
  const PartSpan& span = impl_->parts[part];
  uint64_t files = 0;
  for (uint32_t i = span.first; i < span.first + span.count; ++i) {
    files += impl_->entries[i].attributes.type == EntryType::kFile ? 1 : 0;
  }
  // A piece that does not end its file is alone in its part.
  const PlanEntry& first = impl_->entries[span.first];
  const bool cut = span.count == 1 && span.first_offset + span.payload < Impl::SizeToSend(first);
  return cut && first.attributes.type == EntryType::kFile ? 0 : files;
}

Result<std::unique_ptr<PartReader>> UploadPlan::OpenPart(uint32_t part,
                                                         const DraftId& draft) const {
  if (part >= part_count()) return Fail("internal.bug", "a part number outside the plan");
  return std::make_unique<PlanPartReader>(*impl_, part, draft);
}

Result<Digest> UploadPlan::Root(const ReceiptSalt& salt) const {
  for (size_t i = 0; i < impl_->read.size(); ++i) {
    if (!impl_->read[i].load(std::memory_order_acquire)) {
      return Fail("upload.incomplete", "part " + std::to_string(i) + " was not read yet");
    }
  }
  TreeHasher root;
  for (uint32_t i = 0; i < impl_->entries.size(); ++i) {
    const PlanEntry& entry = impl_->entries[i];
    Digest digest = entry.digest;
    if (const auto split = impl_->leaves.find(i); split != impl_->leaves.end()) {
      TreeHasher content;
      for (const Digest& leaf : split->second) content.AddLeafHash(leaf);
      digest = content.Root();
    }
    root.AddLeafHash(
        ReceiptLeaf(salt, impl_->Path(i), entry.attributes.type, entry.attributes.size, digest));
  }
  return root.Root();
}

}  // namespace cce::dataset
