// The epoch secrets: the one part of cced's state that can be destroyed. Each lies in a file of its
// own, sealed under a key from the root key; the journal, which is append-only, holds only the
// secret's commitment. Destroying overwrites the file in place, then removes it. What a copy of the
// file, or a medium that keeps old blocks, could undo stands in docs/operating.md ("What destroying
// an epoch means"). Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "base/secret.h"
#include "protocol/identifiers.h"

namespace cce::privacy_plane {

class EpochSecrets {
 public:
  // `folder` is made (mode 0700) where it is missing. `seal_key`: 32 bytes, of this use alone.
  static Result<std::unique_ptr<EpochSecrets>> Open(const std::string& folder,
                                                    SecretBytes seal_key);

  // A new random secret, durable when this returns; gives its commitment. A secret that no journal
  // entry names opens nothing and does no harm.
  Result<protocol::Digest32> Create(const protocol::DatasetId& dataset, uint32_t epoch) const;

  // dataset.epoch_lost where the file is missing, damaged or another epoch's.
  Result<SecretBytes> Load(const protocol::DatasetId& dataset, uint32_t epoch,
                           const protocol::Digest32& commitment) const;

  // Overwritten and removed, both durable. One that is not there is destroyed already.
  Result<> Destroy(const protocol::Digest32& commitment) const;

 private:
  EpochSecrets(std::string folder, SecretBytes seal_key)
      : folder_(std::move(folder)), seal_key_(std::move(seal_key)) {}
  std::string PathOf(const protocol::Digest32& commitment) const;

  std::string folder_;
  SecretBytes seal_key_;
};

// SHA-256(frame("cce4long/v1/epoch-commitment", dataset, u32 epoch, secret)): public.
protocol::Digest32 EpochCommitment(const protocol::DatasetId& dataset, uint32_t epoch,
                                   ByteView secret);

}  // namespace cce::privacy_plane
