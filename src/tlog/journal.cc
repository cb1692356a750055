#include "tlog/journal.h"

#include <deque>
#include <mutex>

#include "tlog/sealed_entry.h"

namespace cce::tlog {

struct Journal::Impl {
  Impl(JournalOptions&& options, EntrySealer&& entry_sealer)
      : store(std::move(options.store)),
        sealer(std::move(entry_sealer)),
        log_seed(std::move(options.log_seed)),
        clock(*options.clock) {}

  const std::unique_ptr<JournalStore> store;
  const EntrySealer sealer;
  const SecretBytes log_seed;
  const Clock& clock;
  NoteVerifier log_key;

  // Held through a whole append, disk included; taken before `mutex`.
  std::mutex append_mutex;
  bool broken = false;  // under append_mutex: what the store holds is not known
  // Guards what follows, for moments only: proofs do not wait for the disk.
  mutable std::mutex mutex;
  MerkleTree tree;
  std::vector<crypto::Sha256Digest> commitments;
  crypto::Sha256Digest last_hash{};  // of the last sealed entry
  int64_t last_millis = 0;
  uint64_t anchored = 0;
  std::deque<int64_t> unanchored_millis;  // of the entries from `anchored` on

  void Count(const crypto::Sha256Digest& sealed_hash, const crypto::Sha256Digest& commitment,
             int64_t millis);
  Result<> LoadEntry(uint64_t seq, ByteView sealed, const Fold& fold);
  Result<> CheckHead();
  Result<> CheckFreshness(FreshnessSource* freshness);
  Unexpected NameKeyError(Unexpected error) const;
  Result<> CheckAnchor(const Anchor& anchor) const;
  void SetAnchored(uint64_t size);
  Result<OpenedEntry> ReadEntry(uint64_t seq) const;
};

// -- opening

void Journal::Impl::Count(const crypto::Sha256Digest& sealed_hash,
                          const crypto::Sha256Digest& commitment, int64_t millis) {
  last_hash = sealed_hash;
  last_millis = millis;
  commitments.push_back(commitment);
  tree.Append(LeafHash(commitment));
  unanchored_millis.push_back(millis);
}

// Where the very first thing read does not authenticate, the key may be another one.
Unexpected Journal::Impl::NameKeyError(Unexpected error) const {
  const Result<Bytes> head = store->Head();
  if (error.value().code != "journal.edited" || !head || head->empty() ||
      sealer.NamesThisKey(*head)) {
    return error;
  }
  return Fail("journal.wrong_key", "the journal is sealed under another key");
}

Result<> Journal::Impl::LoadEntry(uint64_t seq, ByteView sealed, const Fold& fold) {
  if (seq != tree.size()) {
    return Fail("journal.truncated",
                "journal entry " + std::to_string(tree.size()) + " is missing");
  }
  Result<OpenedEntry> opened = sealer.Open(seq, last_hash, sealed);
  if (!opened) {
    Unexpected error(std::move(opened).error());
    return seq == 0 ? NameKeyError(std::move(error)) : error;
  }
  const std::string_view text = AsText(opened->text.Expose());
  ASSIGN_OR_RETURN(const EntryText entry, ParseEntryText(text));
  Count(crypto::Sha256(sealed), Commitment(opened->salt, text), entry.millis);
  return fold(seq, entry.millis, entry.type, entry.data);
}

Result<> Journal::Impl::CheckHead() {
  ASSIGN_OR_RETURN(const Bytes sealed, store->Head());
  const uint64_t size = tree.size();
  if (sealed.empty()) {
    if (size == 0) return {};  // new
    return Fail("journal.truncated", "the journal's head record is missing");
  }
  const Result<HeadRecord> head = sealer.OpenHead(sealed);
  if (!head) {
    Unexpected error(head.error());
    return size == 0 ? NameKeyError(std::move(error)) : error;
  }
  if (head->size > size) {
    return Fail(MakeError("journal.truncated", "the journal's last entries are missing")
                    .Expected(std::to_string(head->size) + " entries")
                    .Found(std::to_string(size)));
  }
  if (head->size < size || head->last_hash != last_hash) {
    return Fail("journal.edited", "the journal's head record is of another state than its entries");
  }
  return {};
}

Result<> Journal::Impl::CheckAnchor(const Anchor& anchor) const {
  const uint64_t size = tree.size();
  if (anchor.size > size) {
    return Fail(MakeError("journal.rolled_back", "the journal is older than its anchor")
                    .Expected(std::to_string(anchor.size) + " entries or more")
                    .Found(std::to_string(size)));
  }
  ASSIGN_OR_RETURN(const MerkleHash root, tree.Root(anchor.size));
  if (root != anchor.root) {
    return Fail(MakeError("journal.rolled_back", "the journal is another one than was anchored")
                    .Expected("root " + ToHex(anchor.root) + " at " + std::to_string(anchor.size))
                    .Found(ToHex(root)));
  }
  return {};
}

void Journal::Impl::SetAnchored(uint64_t size) {
  for (; anchored < size; ++anchored) unanchored_millis.pop_front();
}

Result<> Journal::Impl::CheckFreshness(FreshnessSource* freshness) {
  if (freshness == nullptr) return {};
  ASSIGN_OR_RETURN(const std::optional<Anchor> anchor, freshness->Latest());
  if (!anchor) return {};
  TRY(CheckAnchor(*anchor));
  SetAnchored(anchor->size);
  return {};
}

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::Open(JournalOptions options, const Fold& fold) {
  FreshnessSource* const freshness = options.freshness;
  NoteVerifier log_key{.name = options.origin};
  ASSIGN_OR_RETURN(log_key.key, crypto::Ed25519PublicFromSeed(options.log_seed.Expose()));
  TRY(ParseNoteVerifier(FormatNoteVerifier(log_key)));  // the name's form
  ASSIGN_OR_RETURN(EntrySealer sealer, EntrySealer::New(options.base_key.Expose()));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(sealer));
  impl->log_key = std::move(log_key);
  TRY(impl->store->ForEach(
      0, [&](uint64_t seq, ByteView sealed) { return impl->LoadEntry(seq, sealed, fold); }));
  TRY(impl->CheckHead());
  TRY(impl->CheckFreshness(freshness));
  return std::unique_ptr<Journal>(new Journal(std::move(impl)));
}

// -- appending

Result<uint64_t> Journal::Append(std::string_view type, const json::object& data) {
  const NewEntry entry{type, data};
  return AppendAll({&entry, 1});
}

Result<uint64_t> Journal::AppendAll(std::span<const NewEntry> entries) {
  Impl& j = *impl_;
  if (entries.empty()) return Fail("internal.bug", "nothing to append");
  const std::lock_guard append_lock(j.append_mutex);
  if (j.broken) return Fail("journal.conflict", "the journal's state is unknown after a failure");
  // Only appends change these, and they hold append_mutex: no need for `mutex` to read them.
  const uint64_t first = j.tree.size();
  const int64_t millis = std::max(j.clock.NowMillis(), j.last_millis);
  HeadRecord head{.size = first, .last_hash = j.last_hash};
  std::vector<Bytes> sealed;
  std::vector<std::pair<crypto::Sha256Digest, crypto::Sha256Digest>> hashes;  // sealed, commitment
  for (const NewEntry& entry : entries) {
    ASSIGN_OR_RETURN(std::string text, FormatEntryText(entry.type, millis, entry.data));
    const auto salt = crypto::RandomArray<32>();
    ASSIGN_OR_RETURN(Bytes bytes, j.sealer.Seal(head.size, head.last_hash, salt, text));
    head.last_hash = crypto::Sha256(bytes);
    ++head.size;
    hashes.emplace_back(head.last_hash, Commitment(salt, text));
    sealed.push_back(std::move(bytes));
    Wipe(text);
  }
  ASSIGN_OR_RETURN(const Bytes sealed_head, j.sealer.SealHead(head));
  if (Result<> stored = j.store->Append(first, sealed, sealed_head); !stored) {
    const Result<uint64_t> size = j.store->Size();
    j.broken = !size || *size != first;
    return Unexpected(std::move(stored).error());
  }
  const std::lock_guard lock(j.mutex);
  for (const auto& [sealed_hash, commitment] : hashes) j.Count(sealed_hash, commitment, millis);
  return first;
}

// -- reading

// Checked against the tree, so that a store changed since Open is noticed here.
Result<OpenedEntry> Journal::Impl::ReadEntry(uint64_t seq) const {
  crypto::Sha256Digest previous{};
  if (seq > 0) {
    ASSIGN_OR_RETURN(const Bytes before, store->Entry(seq - 1));
    previous = crypto::Sha256(before);
  }
  ASSIGN_OR_RETURN(const Bytes sealed, store->Entry(seq));
  ASSIGN_OR_RETURN(OpenedEntry opened, sealer.Open(seq, previous, sealed));
  const std::lock_guard lock(mutex);
  if (Commitment(opened.salt, AsText(opened.text.Expose())) != commitments[seq]) {
    return Fail("journal.edited", "journal entry " + std::to_string(seq) + " is another one");
  }
  return opened;
}

Result<> Journal::Replay(uint64_t from, const Fold& fold) const {
  for (uint64_t seq = from; seq < Size(); ++seq) {
    ASSIGN_OR_RETURN(const OpenedEntry opened, impl_->ReadEntry(seq));
    ASSIGN_OR_RETURN(const EntryText entry, ParseEntryText(AsText(opened.text.Expose())));
    TRY(fold(seq, entry.millis, entry.type, entry.data));
  }
  return {};
}

uint64_t Journal::Size() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->tree.size();
}

int64_t Journal::LastMillis() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->last_millis;
}

const NoteVerifier& Journal::log_key() const { return impl_->log_key; }

// -- the public log

Result<std::string> Journal::SignedCheckpoint() const {
  const Anchor head = Head();
  return SignCheckpoint(
      Checkpoint{.origin = impl_->log_key.name, .size = head.size, .root = head.root},
      impl_->log_seed.Expose());
}

Result<EntryProof> Journal::Prove(uint64_t seq) const {
  EntryProof out{.index = seq};
  MerkleHash root;
  {
    const std::lock_guard lock(impl_->mutex);
    out.size = impl_->tree.size();
    ASSIGN_OR_RETURN(out.hashes, impl_->tree.InclusionProof(seq, out.size));
    ASSIGN_OR_RETURN(root, impl_->tree.Root(out.size));
  }
  ASSIGN_OR_RETURN(out.checkpoint,
                   SignCheckpoint({impl_->log_key.name, out.size, root}, impl_->log_seed.Expose()));
  ASSIGN_OR_RETURN(const OpenedEntry opened, impl_->ReadEntry(seq));
  out.salt = opened.salt;
  out.text = AsText(opened.text.Expose());
  return out;
}

Result<std::vector<MerkleHash>> Journal::ConsistencyProof(uint64_t old_size, uint64_t size) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->tree.ConsistencyProof(old_size, size);
}

Result<Bytes> Journal::TileBytes(uint32_t level, uint64_t index, uint64_t width) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->tree.TileBytes(level, index, width);
}

Result<Bytes> Journal::EntryBundle(uint64_t index, uint64_t width) const {
  const std::lock_guard lock(impl_->mutex);
  const auto& all = impl_->commitments;
  if (width == 0 || width > kTileWidth || index > all.size() / kTileWidth ||
      index * kTileWidth + width > all.size()) {
    return Fail("tlog.bad_range", "an entry bundle lies outside the log");
  }
  Bytes out;
  for (uint64_t i = 0; i < width; ++i) {
    AppendU16(out, 32);
    cce::Append(out, all[index * kTileWidth + i]);
  }
  return out;
}

// -- anchoring

Anchor Journal::Head() const {
  const std::lock_guard lock(impl_->mutex);
  const uint64_t size = impl_->tree.size();
  return {.size = size, .root = impl_->tree.Root(size).value()};
}

Result<> Journal::MarkAnchored(const Anchor& anchor) {
  const std::lock_guard lock(impl_->mutex);
  TRY(impl_->CheckAnchor(anchor));
  impl_->SetAnchored(anchor.size);
  return {};
}

uint64_t Journal::AnchoredSize() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->anchored;
}

uint64_t Journal::UnanchoredEntries() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->tree.size() - impl_->anchored;
}

std::optional<int64_t> Journal::OldestUnanchoredMillis() const {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->unanchored_millis.empty()) return std::nullopt;
  return impl_->unanchored_millis.front();
}

}  // namespace cce::tlog
