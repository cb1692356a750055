#include "dataset/upload_plan.h"

#include <utility>

#include "dataset/plan_impl.h"

namespace cce::dataset {
namespace {

// Far below PartLimits::max_head_bytes, for any server's setting.
constexpr uint64_t kMaxPlannedHeadBytes = uint64_t{4} << 20;

}  // namespace

void UploadPlan::Impl::CutIntoParts() {
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
                      part.count >= options.max_records || part.head_bytes >= kMaxPlannedHeadBytes;
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

UploadPlan::UploadPlan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UploadPlan::UploadPlan(UploadPlan&&) noexcept = default;
UploadPlan& UploadPlan::operator=(UploadPlan&&) noexcept = default;
UploadPlan::~UploadPlan() = default;

Result<UploadPlan> UploadPlan::Finish(std::unique_ptr<Impl> impl, const Comparison& comparison) {
  const PlanOptions& options = impl->options;
  if (options.pack_target > options.piece_size || options.piece_size > kMaxObjectPlain ||
      options.piece_size == 0 || options.piece_size % kDigestSpan != 0 ||
      options.max_records == 0) {
    return Fail("internal.bug", "plan options outside their limits");
  }
  TRY(impl->Compare(comparison));
  impl->CutIntoParts();
  return UploadPlan(std::move(impl));
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
  return ReadPart(*impl_, part, draft);
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
    if (const auto split = impl_->spans.find(i); split != impl_->spans.end()) {
      digest = TreeDigestOfSpans(entry.attributes.size, split->second);
    }
    root.AddLeafHash(
        ReceiptLeaf(salt, impl_->Path(i), entry.attributes.type, entry.attributes.size, digest));
  }
  return root.Root();
}

}  // namespace cce::dataset
