// The Key Manager: every key of cced, derived from the root key by HKDF-SHA-256 with framed labels
// (docs/formats/protocol.md, "Keys"). Thread-safe after New.
#pragma once

#include <memory>

#include "base/secret.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "crypto/secp256k1.h"
#include "privacy_plane/key_manager/root_key.h"
#include "protocol/identifiers.h"

namespace cce::privacy_plane {

class KeyManager {
 public:
  static Result<std::unique_ptr<KeyManager>> New(RootKeySource& source);

  // DEK of a dataset's epoch. `epoch_secret`: 32 random bytes that live only in EpochSecrets, so
  // that destroying them ends the epoch.
  SecretBytes Dek(const protocol::DatasetId& dataset, uint32_t epoch, ByteView epoch_secret) const;
  // REK of one attempt of one job: seals exactly one object.
  SecretBytes Rek(const protocol::JobId& job, uint32_t attempt) const;
  // The base keys of what cced keeps for itself.
  SecretBytes JournalKey() const;
  SecretBytes LogKeySeed() const;
  SecretBytes LeakIndexKey(const protocol::DatasetId& dataset) const;  // keys the index's hashes
  // Ends with the epoch, as the data do.
  SecretBytes LeakIndexSealKey(const protocol::DatasetId& dataset, uint32_t epoch,
                               ByteView epoch_secret) const;
  SecretBytes EpochSealKey() const;  // seals the files of EpochSecrets
  // Storage access of one attempt: nothing to keep, checked by computing it again.
  std::string StorageToken(const protocol::JobId& job, uint32_t attempt) const;

  const crypto::P256PrivateKey& identity_key() const { return identity_key_; }
  const crypto::P256PrivateKey& review_key() const { return review_key_; }
  const crypto::P256PrivateKey& tls_key() const { return tls_key_; }
  const SecretBytes& chain_key() const { return chain_key_; }  // secp256k1: anchors checkpoints
  crypto::Ed25519PublicKey log_public_key() const { return log_public_key_; }

 private:
  KeyManager(SecretBytes root, crypto::P256PrivateKey identity, crypto::P256PrivateKey review,
             crypto::P256PrivateKey tls);
  SecretBytes Derive(std::string_view label, std::initializer_list<ByteView> fields) const;

  SecretBytes root_;
  crypto::P256PrivateKey identity_key_;
  crypto::P256PrivateKey review_key_;
  crypto::P256PrivateKey tls_key_;
  SecretBytes chain_key_;
  crypto::Ed25519PublicKey log_public_key_{};
};

}  // namespace cce::privacy_plane
