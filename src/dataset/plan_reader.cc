// What an upload's plan names, read: whole files for the comparison with the base, and parts.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <thread>

#include "dataset/known_files.h"
#include "dataset/path.h"
#include "dataset/plan_impl.h"

namespace cce::dataset {
namespace {

Unexpected FileChanged(std::string_view path) {
  return Fail("upload.file_changed", "'" + ShowPath(path) + "' changed after the folder was read");
}

// That the open file is still what the walk saw.
Result<> CheckUnchanged(int fd, std::string_view path, const Attributes& attributes) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return FailErrno(ShowPath(path), errno);
  if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) != attributes.size ||
      ModifiedNs(info) != attributes.mtime_ns) {
    return FileChanged(path);
  }
  return {};
}

}  // namespace

int64_t ModifiedNs(const struct stat& info) {
  return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

Result<UploadPlan::Impl::Content> UploadPlan::Impl::OpenContent(uint32_t entry) const {
  Content content;
  if (spool.valid()) {
    content.fd = spool.get();
    content.start = spool_places[entry];
    return content;
  }
  const std::string path(Path(entry));
  content.own =
      UniqueFd(::openat(root.get(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!content.own.valid()) return FailErrno(ShowPath(path), errno);
  content.fd = content.own.get();
  TRY(CheckUnchanged(content.fd, path, entries[entry].attributes));
  return content;
}

Result<> UploadPlan::Impl::CloseContent(const Content& content, uint32_t entry) const {
  if (!content.own.valid()) return {};
  return CheckUnchanged(content.fd, Path(entry), entries[entry].attributes);
}

Result<size_t> UploadPlan::Impl::ReadContent(const Content& content, uint64_t at,
                                             std::span<uint8_t> room, uint32_t entry) const {
  ssize_t n = -1;
  do {
    n = ::pread(content.fd, room.data(), room.size(), static_cast<off_t>(content.start + at));
  } while (n < 0 && errno == EINTR);
  if (n < 0) return FailErrno(ShowPath(Path(entry)), errno);
  if (n == 0) return FileChanged(Path(entry));
  return static_cast<size_t>(n);
}

// Digests one file whole.
Result<Digest> UploadPlan::Impl::DigestFile(uint32_t entry, Bytes& buffer,
                                            const Comparison& comparison) const {
  const Attributes& a = entries[entry].attributes;
  ASSIGN_OR_RETURN(const Content content, OpenContent(entry));
  TreeDigester digest;
  for (uint64_t at = 0; at < a.size;) {
    const size_t want = std::min<uint64_t>(buffer.size(), a.size - at);
    ASSIGN_OR_RETURN(const size_t n,
                     ReadContent(content, at, std::span(buffer).first(want), entry));
    digest.Update(ByteView(buffer).first(n));
    at += n;
    if (comparison.progress) comparison.progress(n, at == a.size);
  }
  TRY(CloseContent(content, entry));
  return digest.Finish();
}

// Marks the files that the base holds.
Result<> UploadPlan::Impl::Compare(const Comparison& comparison) {
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
    if (entries[i].same != kNotSame) spans.erase(i);
  }
  base = comparison.known->base();
  return {};
}

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
      at_ = head.offset;
    }
    Queue(std::move(bytes));
    return {};
  }

  Result<size_t> ReadFileSlice(std::span<uint8_t> room) {
    const size_t want = std::min<uint64_t>({room.size(), left_, kReadSlice});
    ASSIGN_OR_RETURN(const size_t got, plan_.ReadContent(content_, at_, room.first(want), entry_));
    hasher_.Update(room.first(got));
    left_ -= got;
    at_ += got;
    return got;
  }

  Result<> EndPiece() {
    PlanEntry& entry = plan_.entries[entry_];
    TRY(plan_.CloseContent(content_, entry_));
    content_ = {};
    const std::vector<Digest> spans = hasher_.Finish();
    digester_.Piece(head_, spans);
    const auto split = plan_.spans.find(entry_);
    if (split != plan_.spans.end()) {
      std::copy(spans.begin(), spans.end(),
                split->second.begin() + static_cast<ptrdiff_t>(offset_ / kDigestSpan));
    } else if (entry.attributes.type != EntryType::kFolder && entry.same == kNotSame) {
      entry.digest = TreeDigestOfSpans(entry.attributes.size, spans);
    }
    in_piece_ = false;
    return {};
  }

  UploadPlan::Impl& plan_;
  const uint32_t part_;
  const PartSpan& span_;
  PartDigester digester_;
  SpanHasher hasher_;
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

ByteSource SourceOf(PartReader& reader) {
  return [&reader, buffer = Bytes(kReadSlice),
          rest = ByteView()](size_t max) mutable -> Result<ByteView> {
    if (rest.empty()) {
      ASSIGN_OR_RETURN(const size_t n, reader.Read(buffer));
      rest = ByteView(buffer).first(n);
    }
    const ByteView next = rest.first(std::min(max, rest.size()));
    rest = rest.subspan(next.size());
    return next;
  };
}

std::unique_ptr<PartReader> ReadPart(UploadPlan::Impl& plan, uint32_t part, const DraftId& draft) {
  return std::make_unique<PlanPartReader>(plan, part, draft);
}

}  // namespace cce::dataset
