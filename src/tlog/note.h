// Signed notes (C2SP signed-note v1.0.0) with Ed25519 keys, and checkpoints (C2SP tlog-checkpoint
// v1.0.0).
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/ed25519.h"
#include "tlog/merkle.h"

namespace cce::tlog {

// A key that signs notes, by its name: what a verifier pins. Text form "name+<8 hex>+base64(01 ||
// key)".
struct NoteVerifier {
  std::string name;
  crypto::Ed25519PublicKey key{};
};
uint32_t NoteKeyHash(const NoteVerifier& verifier);
std::string FormatNoteVerifier(const NoteVerifier& verifier);
Result<NoteVerifier> ParseNoteVerifier(std::string_view text);  // tlog.bad_note

// `text` is UTF-8, ends in a line break and has no control characters but line breaks.
// Errors: tlog.bad_note; those of Ed25519Sign.
Result<std::string> SignNote(std::string_view text, std::string_view name, ByteView seed);
// The text, if the note is well formed and `verifier` signed it. Signatures of others (witnesses)
// may stand beside it and are not checked. Errors: tlog.bad_note, crypto.bad_signature;
// input.too_large past 64 KiB.
Result<std::string> OpenNote(std::string_view note, const NoteVerifier& verifier);

struct Checkpoint {
  std::string origin;  // the log's name, which is its key's name too
  uint64_t size = 0;
  MerkleHash root{};
  bool operator==(const Checkpoint&) const = default;
};
Result<std::string> SignCheckpoint(const Checkpoint& checkpoint, ByteView seed);
// Refuses extension lines and another origin than the verifier's name.
Result<Checkpoint> OpenCheckpoint(std::string_view note, const NoteVerifier& verifier);

}  // namespace cce::tlog
