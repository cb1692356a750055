// The bytes of sealed entries and of the head record (docs/formats/journal.md). Internal to
// src/tlog.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "base/secret.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

namespace cce::tlog {

// An entry's text and back: {"type": .., "time": milliseconds, "data": {..}}.
struct EntryText {
  std::string type;
  int64_t millis = 0;
  json::object data;
};
// input.malformed where ParseEntryText could not read it back.
Result<std::string> FormatEntryText(std::string_view type, int64_t millis,
                                    const json::object& data);
Result<EntryText> ParseEntryText(std::string_view text);

struct OpenedEntry {
  ByteArray<32> salt{};
  SecretBytes text;
};

struct HeadRecord {
  uint64_t size = 0;
  crypto::Sha256Digest last_hash{};  // SHA-256 of the last sealed entry
};

// Thread-safe.
class EntrySealer {
 public:
  static Result<EntrySealer> New(ByteView base_key);

  // `previous`: SHA-256 of the sealed entry before, zeros for the first.
  Result<Bytes> Seal(uint64_t seq, const crypto::Sha256Digest& previous, ByteView salt,
                     std::string_view text) const;
  // journal.reordered where the bytes say another number, else journal.edited.
  Result<OpenedEntry> Open(uint64_t seq, const crypto::Sha256Digest& previous,
                           ByteView sealed) const;

  Result<Bytes> SealHead(const HeadRecord& head) const;
  Result<HeadRecord> OpenHead(ByteView sealed) const;  // journal.edited
  // Whether a head record names this key: tells another key from a changed record.
  bool NamesThisKey(ByteView sealed_head) const;

 private:
  EntrySealer() = default;
  std::unique_ptr<crypto::Aead> entry_;
  std::unique_ptr<crypto::Aead> head_;
  Bytes key_name_;
};

}  // namespace cce::tlog
