#include "privacy_plane/key_manager/key_manager.h"

namespace cce::privacy_plane {
namespace {

constexpr size_t kKeySize = 32;

SecretBytes DeriveFrom(const SecretBytes& root, std::string_view label,
                       std::initializer_list<ByteView> fields) {
  return crypto::Hkdf(root.Expose(), {}, label, fields, kKeySize);
}

Bytes Number(uint32_t n) {
  Bytes out;
  AppendU32(out, n);
  return out;
}

Result<crypto::P256PrivateKey> DeriveP256(const SecretBytes& root, std::string_view label) {
  return crypto::P256PrivateKey::Derive(DeriveFrom(root, label, {Number(1)}).Expose());
}

}  // namespace

KeyManager::KeyManager(SecretBytes root, crypto::P256PrivateKey identity,
                       crypto::P256PrivateKey review, crypto::P256PrivateKey tls)
    : root_(std::move(root)),
      identity_key_(std::move(identity)),
      review_key_(std::move(review)),
      tls_key_(std::move(tls)),
      chain_key_(DeriveFrom(root_, "cce4long/v1/chain-key", {Number(1)})) {}

Result<std::unique_ptr<KeyManager>> KeyManager::New(RootKeySource& source) {
  ASSIGN_OR_RETURN(SecretBytes root, source.Load());
  ASSIGN_OR_RETURN(auto identity, DeriveP256(root, "cce4long/v1/identity-key"));
  ASSIGN_OR_RETURN(auto review, DeriveP256(root, "cce4long/v1/review-key"));
  ASSIGN_OR_RETURN(auto tls, DeriveP256(root, "cce4long/v1/tls-key"));
  std::unique_ptr<KeyManager> keys(
      new KeyManager(std::move(root), std::move(identity), std::move(review), std::move(tls)));
  ASSIGN_OR_RETURN(keys->log_public_key_,
                   crypto::Ed25519PublicFromSeed(keys->LogKeySeed().Expose()));
  return keys;
}

SecretBytes KeyManager::Derive(std::string_view label,
                               std::initializer_list<ByteView> fields) const {
  return DeriveFrom(root_, label, fields);
}

SecretBytes KeyManager::Dek(const protocol::DatasetId& dataset, uint32_t epoch,
                            ByteView epoch_secret) const {
  return Derive("cce4long/v1/dek", {dataset, Number(epoch), epoch_secret});
}
SecretBytes KeyManager::Rek(const protocol::JobId& job, uint32_t attempt) const {
  return Derive("cce4long/v1/rek", {job, Number(attempt)});
}
SecretBytes KeyManager::JournalKey() const { return Derive("cce4long/v1/journal-base", {}); }
SecretBytes KeyManager::LogKeySeed() const { return Derive("cce4long/v1/log-key", {Number(1)}); }
SecretBytes KeyManager::LeakIndexKey(const protocol::DatasetId& dataset) const {
  return Derive("cce4long/v1/leak-index", {dataset});
}
SecretBytes KeyManager::LeakIndexSealKey(const protocol::DatasetId& dataset, uint32_t epoch,
                                         ByteView epoch_secret) const {
  return Derive("cce4long/v1/leak-index-seal", {dataset, Number(epoch), epoch_secret});
}
SecretBytes KeyManager::EpochSealKey() const { return Derive("cce4long/v1/epoch-seal", {}); }
std::string KeyManager::StorageToken(const protocol::JobId& job, uint32_t attempt) const {
  const SecretBytes token = Derive("cce4long/v1/storage-token", {job, Number(attempt)});
  return ToHex(job) + "." + std::to_string(attempt) + "." + ToHex(token.Expose());
}

}  // namespace cce::privacy_plane
