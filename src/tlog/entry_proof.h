// Proof that a log holds an entry, with the entry itself: what a manifest encloses and a stranger
// checks offline. docs/formats/journal.md, "Proof of an entry".
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tlog/note.h"

namespace cce::tlog {

// SHA-256(frame("cce4long/v1/journal-commitment", salt, text)): the Merkle leaf's data. The salt
// keeps an entry's content from being guessed from the public log.
crypto::Sha256Digest Commitment(ByteView salt, std::string_view text);

struct EntryProof {
  uint64_t index = 0;
  uint64_t size = 0;
  std::vector<MerkleHash> hashes;
  std::string checkpoint;  // a signed note over `size`
  ByteArray<32> salt{};    // opens the commitment
  std::string text;        // the entry: {"type": .., "time": milliseconds, "data": {..}}
};

json::object EntryProofJson(const EntryProof& proof);
// Reads `fields` to the end, Finish included. Errors: input.*.
Result<EntryProof> ReadEntryProof(Fields fields);

struct ProvenEntry {
  uint64_t seq = 0;
  int64_t millis = 0;
  std::string type;
  json::object data;
  Checkpoint checkpoint;
};
// Errors: tlog.bad_proof, tlog.bad_note, crypto.bad_signature, input.*.
Result<ProvenEntry> VerifyEntryProof(const EntryProof& proof, const NoteVerifier& log);

}  // namespace cce::tlog
