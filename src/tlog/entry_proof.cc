#include "tlog/entry_proof.h"

#include "tlog/journal.h"
#include "tlog/sealed_entry.h"

namespace cce::tlog {

crypto::Sha256Digest Commitment(ByteView salt, std::string_view text) {
  return crypto::Sha256(Frame("cce4long/v1/journal-commitment", {salt, AsBytes(text)}));
}

json::object EntryProofJson(const EntryProof& proof) {
  json::array hashes;
  for (const MerkleHash& hash : proof.hashes) hashes.emplace_back(ToHex(hash));
  return {{"index", proof.index},        {"size", proof.size},
          {"hashes", std::move(hashes)}, {"checkpoint", proof.checkpoint},
          {"salt", ToHex(proof.salt)},   {"entry", proof.text}};
}

Result<EntryProof> ReadEntryProof(Fields fields) {
  EntryProof out;
  out.index = fields.Uint("index", {});
  out.size = fields.Uint("size", {});
  const auto hashes = fields.Strings("hashes", {.max = 64, .max_item = 64});
  out.checkpoint = fields.String("checkpoint", {.max = 4096});
  const Bytes salt = fields.Hex("salt", out.salt.size());
  out.text = fields.String("entry", {.max = kMaxEntry});
  TRY(fields.Finish());
  for (const std::string& text : hashes) {
    ASSIGN_OR_RETURN(const MerkleHash hash, ArrayFromHex<32>(text));
    out.hashes.push_back(hash);
  }
  std::copy(salt.begin(), salt.end(), out.salt.begin());
  return out;
}

Result<ProvenEntry> VerifyEntryProof(const EntryProof& proof, const NoteVerifier& log) {
  ProvenEntry out;
  ASSIGN_OR_RETURN(out.checkpoint, OpenCheckpoint(proof.checkpoint, log));
  if (out.checkpoint.size != proof.size) {
    return Fail(MakeError("tlog.bad_proof", "a proof is for another size than its checkpoint")
                    .Expected(std::to_string(out.checkpoint.size))
                    .Found(std::to_string(proof.size)));
  }
  TRY(VerifyInclusion(LeafHash(Commitment(proof.salt, proof.text)), proof.index, proof.size,
                      proof.hashes, out.checkpoint.root));
  ASSIGN_OR_RETURN(EntryText entry, ParseEntryText(proof.text));
  out.seq = proof.index;
  out.millis = entry.millis;
  out.type = std::move(entry.type);
  out.data = std::move(entry.data);
  return out;
}

}  // namespace cce::tlog
