#include "tlog/note.h"

#include <boost/json/string.hpp>
#include <charconv>

#include "base/json.h"
#include "crypto/hash.h"

namespace cce::tlog {
namespace {

constexpr size_t kMaxNote = size_t{64} << 10;
constexpr uint8_t kEd25519Type = 0x01;
constexpr std::string_view kSignatureStart = "\xe2\x80\x94 ";  // an em dash and a space

Unexpected BadNote(std::string why) { return Fail("tlog.bad_note", std::move(why)); }

// Decimal without leading zeros.
Result<uint64_t> ParseDecimal(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() ||
      (text.size() > 1 && text[0] == '0')) {
    return BadNote("a number in a note is malformed");
  }
  return value;
}

// The JSON parser's check of UTF-8 is the one that everything else here relies on, too.
bool IsUtf8(std::string_view text) { return ParseJson(ToJson(json::string(text))).has_value(); }

Result<> CheckName(std::string_view name) {
  const bool bad = name.empty() || name.size() > 256 || std::ranges::any_of(name, [](char c) {
                     return static_cast<uint8_t>(c) <= 0x20 || c == '+' || c == 0x7f;
                   });
  if (bad || !IsUtf8(name)) return BadNote("a key's name is malformed");
  return {};
}

Result<> CheckText(std::string_view text) {
  const bool control = std::ranges::any_of(
      text, [](char c) { return (static_cast<uint8_t>(c) < 0x20 && c != '\n') || c == 0x7f; });
  if (text.empty() || text.back() != '\n' || control || !IsUtf8(text)) {
    return BadNote("a note's text is malformed");
  }
  return {};
}

// One signature line without its line break: name, key hash and signature.
struct SignatureLine {
  std::string_view name;
  uint32_t key_hash = 0;
  Bytes signature;
};

Result<SignatureLine> ParseSignatureLine(std::string_view line) {
  if (!line.starts_with(kSignatureStart)) return BadNote("a note's signature line is malformed");
  line.remove_prefix(kSignatureStart.size());
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return BadNote("a note's signature line is malformed");
  SignatureLine out;
  out.name = line.substr(0, space);
  TRY(CheckName(out.name));
  const auto bytes = FromBase64(line.substr(space + 1));
  if (!bytes || bytes->size() < 5) return BadNote("a note's signature line is malformed");
  out.key_hash = ReadU32(bytes->data());
  out.signature.assign(bytes->begin() + 4, bytes->end());
  return out;
}

}  // namespace

uint32_t NoteKeyHash(const NoteVerifier& verifier) {
  Bytes input = ToBytes(verifier.name);
  input.push_back('\n');
  input.push_back(kEd25519Type);
  Append(input, verifier.key);
  return ReadU32(crypto::Sha256(input).data());
}

std::string FormatNoteVerifier(const NoteVerifier& verifier) {
  Bytes hash, key = {kEd25519Type};
  AppendU32(hash, NoteKeyHash(verifier));
  Append(key, verifier.key);
  return verifier.name + "+" + ToHex(hash) + "+" + ToBase64(key);
}

Result<NoteVerifier> ParseNoteVerifier(std::string_view text) {
  const size_t first = text.find('+');
  const size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) return BadNote("a log key is malformed");
  NoteVerifier out;
  out.name = text.substr(0, first);
  TRY(CheckName(out.name));
  const auto key = FromBase64(text.substr(second + 1));
  if (!key || key->size() != 33 || (*key)[0] != kEd25519Type) {
    return BadNote("a log key is no Ed25519 key");
  }
  std::copy(key->begin() + 1, key->end(), out.key.begin());
  if (FormatNoteVerifier(out) != text) return BadNote("a log key's hash is another key's");
  return out;
}

Result<std::string> SignNote(std::string_view text, std::string_view name, ByteView seed) {
  TRY(CheckName(name));
  TRY(CheckText(text));
  NoteVerifier verifier{.name = std::string(name)};
  ASSIGN_OR_RETURN(verifier.key, crypto::Ed25519PublicFromSeed(seed));
  ASSIGN_OR_RETURN(const crypto::Ed25519Signature signature,
                   crypto::Ed25519Sign(seed, AsBytes(text)));
  Bytes tagged;
  AppendU32(tagged, NoteKeyHash(verifier));
  Append(tagged, signature);
  std::string out(text);
  out.append("\n").append(kSignatureStart).append(name).append(" ");
  return out.append(ToBase64(tagged)).append("\n");
}

Result<std::string> OpenNote(std::string_view note, const NoteVerifier& verifier) {
  if (note.size() > kMaxNote) return Fail("input.too_large", "a note exceeds 64 KiB");
  // The last empty line parts text and signatures.
  const size_t border = note.rfind("\n\n");
  if (border == std::string_view::npos || note.back() != '\n') {
    return BadNote("a note has no signatures");
  }
  const std::string_view text = note.substr(0, border + 1);
  TRY(CheckText(text));
  std::string_view lines = note.substr(border + 2);
  if (lines.empty()) return BadNote("a note has no signatures");
  bool found = false;
  while (!lines.empty()) {
    const size_t end = lines.find('\n');
    ASSIGN_OR_RETURN(const SignatureLine line, ParseSignatureLine(lines.substr(0, end)));
    lines.remove_prefix(end + 1);
    if (line.name != verifier.name || line.key_hash != NoteKeyHash(verifier)) continue;
    if (found) return BadNote("a note has two signatures of one key");
    TRY(crypto::Ed25519Verify(verifier.key, AsBytes(text), line.signature));
    found = true;
  }
  if (!found) {
    return Fail(MakeError("crypto.bad_signature", "a note is not signed by the key expected")
                    .Expected(FormatNoteVerifier(verifier)));
  }
  return std::string(text);
}

Result<std::string> SignCheckpoint(const Checkpoint& checkpoint, ByteView seed) {
  const std::string text = checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" +
                           ToBase64(checkpoint.root) + "\n";
  return SignNote(text, checkpoint.origin, seed);
}

Result<Checkpoint> OpenCheckpoint(std::string_view note, const NoteVerifier& verifier) {
  ASSIGN_OR_RETURN(const std::string text, OpenNote(note, verifier));
  const size_t first = text.find('\n');
  const size_t second = first == std::string::npos ? first : text.find('\n', first + 1);
  if (second == std::string::npos || text.find('\n', second + 1) != text.size() - 1) {
    return BadNote("a checkpoint must have three lines");
  }
  Checkpoint out;
  out.origin = text.substr(0, first);
  if (out.origin != verifier.name) {
    return Fail(MakeError("tlog.bad_note", "a checkpoint is of another log")
                    .Expected(verifier.name)
                    .Found(out.origin));
  }
  ASSIGN_OR_RETURN(out.size,
                   ParseDecimal(std::string_view(text).substr(first + 1, second - first - 1)));
  const auto root = FromBase64(std::string_view(text).substr(second + 1, text.size() - second - 2));
  if (!root || root->size() != 32) return BadNote("a checkpoint's root is malformed");
  std::copy(root->begin(), root->end(), out.root.begin());
  return out;
}

}  // namespace cce::tlog
