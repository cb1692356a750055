#include "tlog/sealed_entry.h"

#include "tlog/journal.h"

namespace cce::tlog {
namespace {

constexpr std::string_view kKeyLabel = "cce4long/v1/journal";
constexpr std::string_view kEntryLabel = "cce4long/v1/journal-entry";
constexpr std::string_view kHeadLabel = "cce4long/v1/journal-head";
constexpr uint8_t kVersion = 1;
constexpr size_t kEntryPrefix = 9;  // version, sequence number
constexpr size_t kKeyNameSize = 16;
constexpr JsonLimits kEntryLimits{.max_bytes = kMaxEntry, .max_depth = 64};

Bytes EntryAad(uint64_t seq, const crypto::Sha256Digest& previous) {
  Bytes number;
  AppendU64(number, seq);
  return Frame(kEntryLabel, {number, previous});
}

Unexpected Edited(const std::string& what) {
  return Fail("journal.edited", what + " does not authenticate");
}

}  // namespace

Result<std::string> FormatEntryText(std::string_view type, int64_t millis,
                                    const json::object& data) {
  const json::object entry = {{"type", type}, {"time", millis}, {"data", data}};
  std::string text = ToJson(entry);
  TRY(ParseEntryText(text));
  return text;
}

Result<EntryText> ParseEntryText(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "journal entry", kEntryLimits));
  Fields fields(document);
  EntryText out;
  out.type = fields.String("type", {.min = 1, .max = 64});
  out.millis = static_cast<int64_t>(fields.Uint("time", {.max = uint64_t{1} << 53}));
  const json::value* data = fields.Raw("data");
  if (data == nullptr || !data->is_object()) fields.Reject("data", "must be an object");
  TRY(fields.Finish());
  out.data = data->get_object();
  return out;
}

Result<EntrySealer> EntrySealer::New(ByteView base_key) {
  if (base_key.size() < 32) {
    return Fail("crypto.bad_key", "the journal's base key must have 32 bytes or more");
  }
  const auto derive = [&](std::string_view use, size_t size) {
    return crypto::Hkdf(base_key, {}, kKeyLabel, {AsBytes(use)}, size);
  };
  EntrySealer out;
  ASSIGN_OR_RETURN(out.entry_, crypto::NewAead(derive("entry", 32).Expose()));
  ASSIGN_OR_RETURN(out.head_, crypto::NewAead(derive("head", 32).Expose()));
  out.key_name_ = ToBytes(derive("name", kKeyNameSize).Expose());
  return out;
}

Result<Bytes> EntrySealer::Seal(uint64_t seq, const crypto::Sha256Digest& previous, ByteView salt,
                                std::string_view text) const {
  SecretBytes plaintext(salt.size() + text.size());
  const auto middle = std::copy(salt.begin(), salt.end(), plaintext.ExposeMutable().begin());
  std::copy(text.begin(), text.end(), middle);
  ASSIGN_OR_RETURN(const Bytes message, crypto::SealWithRandomNonce(
                                            *entry_, EntryAad(seq, previous), plaintext.Expose()));
  Bytes out = {kVersion};
  AppendU64(out, seq);
  Append(out, message);
  return out;
}

Result<OpenedEntry> EntrySealer::Open(uint64_t seq, const crypto::Sha256Digest& previous,
                                      ByteView sealed) const {
  const std::string name = "journal entry " + std::to_string(seq);
  if (sealed.size() < kEntryPrefix || sealed[0] != kVersion) return Edited(name);
  if (const uint64_t written = ReadU64(sealed.data() + 1); written != seq) {
    return Fail(MakeError("journal.reordered", name + " is another entry")
                    .Expected("number " + std::to_string(seq))
                    .Found("number " + std::to_string(written)));
  }
  const Result<SecretBytes> plaintext =
      crypto::OpenWithNonce(*entry_, EntryAad(seq, previous), sealed.subspan(kEntryPrefix));
  OpenedEntry out;
  if (!plaintext || plaintext->size() < out.salt.size()) return Edited(name);
  const ByteView bytes = plaintext->Expose();
  std::copy_n(bytes.begin(), out.salt.size(), out.salt.begin());
  out.text = SecretBytes::CopyOf(bytes.subspan(out.salt.size()));
  return out;
}

Result<Bytes> EntrySealer::SealHead(const HeadRecord& head) const {
  Bytes plaintext;
  AppendU64(plaintext, head.size);
  Append(plaintext, head.last_hash);
  ASSIGN_OR_RETURN(const Bytes message,
                   crypto::SealWithRandomNonce(*head_, Frame(kHeadLabel, {}), plaintext));
  Bytes out = {kVersion};
  Append(out, key_name_);
  Append(out, message);
  return out;
}

bool EntrySealer::NamesThisKey(ByteView sealed_head) const {
  return sealed_head.size() > kKeyNameSize &&
         Equal(sealed_head.subspan(1, kKeyNameSize), key_name_);
}

Result<HeadRecord> EntrySealer::OpenHead(ByteView sealed) const {
  const std::string name = "the journal's head record";
  if (!NamesThisKey(sealed) || sealed[0] != kVersion) return Edited(name);
  const Result<SecretBytes> plaintext =
      crypto::OpenWithNonce(*head_, Frame(kHeadLabel, {}), sealed.subspan(1 + kKeyNameSize));
  if (!plaintext || plaintext->size() != 8 + 32) return Edited(name);
  HeadRecord out;
  out.size = ReadU64(plaintext->Expose().data());
  std::copy_n(plaintext->Expose().begin() + 8, 32, out.last_hash.begin());
  return out;
}

}  // namespace cce::tlog
