#include "crypto/hpke.h"

#include "crypto/aead_backends.h"
#include "crypto/hpke_schedule.h"
#include "crypto/openssl.h"

namespace cce::crypto {
namespace {

constexpr size_t kEncSize = 65;

SecretBytes ExtractAndExpand(ByteView dh, ByteView enc, ByteView recipient_public_key) {
  Bytes context = ToBytes(enc);
  Append(context, recipient_public_key);
  const SecretBytes prk = LabeledExtract(kKemSuiteId, {}, "eae_prk", dh);
  return LabeledExpand(kKemSuiteId, prk.Expose(), "shared_secret", context, 32);
}

// "HPKE" || KEM 0x0010 || KDF 0x0001 || AEAD
std::string SuiteId(HpkeAead aead) {
  std::string id("HPKE\x00\x10\x00\x01\x00", 9);
  id.push_back(static_cast<char>(aead));
  return id;
}

}  // namespace

SecretBytes LabeledExtract(std::string_view suite_id, ByteView salt, std::string_view label,
                           ByteView key) {
  SecretBytes input(7 + suite_id.size() + label.size() + key.size());
  auto at = input.ExposeMutable().begin();
  for (ByteView part : {AsBytes("HPKE-v1"), AsBytes(suite_id), AsBytes(label), key}) {
    at = std::copy(part.begin(), part.end(), at);
  }
  return HkdfExtract(salt, input.Expose());
}

SecretBytes LabeledExpand(std::string_view suite_id, ByteView pseudorandom_key,
                          std::string_view label, ByteView info, size_t size) {
  Bytes labeled;
  AppendU16(labeled, static_cast<uint16_t>(size));
  for (ByteView part : {AsBytes("HPKE-v1"), AsBytes(suite_id), AsBytes(label), info}) {
    Append(labeled, part);
  }
  return HkdfExpand(pseudorandom_key, labeled, size);
}

Result<SecretBytes> KemEncap(const P256PrivateKey& ephemeral, ByteView recipient_public_key) {
  ASSIGN_OR_RETURN(const SecretBytes dh, ephemeral.SharedSecret(recipient_public_key));
  return ExtractAndExpand(dh.Expose(), ephemeral.public_key(), recipient_public_key);
}

Result<SecretBytes> KemDecap(const P256PrivateKey& recipient, ByteView enc) {
  ASSIGN_OR_RETURN(const SecretBytes dh, recipient.SharedSecret(enc));
  return ExtractAndExpand(dh.Expose(), enc, recipient.public_key());
}

HpkeKeys KeySchedule(HpkeAead aead, ByteView shared_secret, ByteView info) {
  const std::string suite = SuiteId(aead);
  Bytes context = {0};  // mode_base
  Append(context, LabeledExtract(suite, {}, "psk_id_hash", {}).Expose());
  Append(context, LabeledExtract(suite, {}, "info_hash", info).Expose());
  const SecretBytes secret = LabeledExtract(suite, shared_secret, "secret", {});
  const size_t key_size = aead == HpkeAead::kAes128Gcm ? 16 : 32;
  return HpkeKeys{
      .key = LabeledExpand(suite, secret.Expose(), "key", context, key_size),
      .base_nonce = LabeledExpand(suite, secret.Expose(), "base_nonce", context, kAeadNonceSize),
      .exporter_secret = LabeledExpand(suite, secret.Expose(), "exp", context, 32),
  };
}

Result<Bytes> HpkeSealWith(const P256PrivateKey& ephemeral, HpkeAead aead,
                           ByteView recipient_public_key, ByteView info, ByteView aad,
                           ByteView plaintext) {
  ASSIGN_OR_RETURN(const SecretBytes shared, KemEncap(ephemeral, recipient_public_key));
  const HpkeKeys keys = KeySchedule(aead, shared.Expose(), info);
  Bytes out = ToBytes(ephemeral.public_key());
  out.resize(kEncSize + plaintext.size() + kAeadTagSize);
  // One message a context: sequence number 0 leaves the base nonce as it is.
  TRY(NewOpenSslAead(keys.key.Expose())
          ->Seal(keys.base_nonce.Expose(), aad, plaintext, std::span(out).subspan(kEncSize)));
  return out;
}

Result<Bytes> HpkeSeal(ByteView recipient_public_key, ByteView info, ByteView aad,
                       ByteView plaintext) {
  ASSIGN_OR_RETURN(const P256PrivateKey ephemeral, P256PrivateKey::Generate());
  return HpkeSealWith(ephemeral, HpkeAead::kAes256Gcm, recipient_public_key, info, aad, plaintext);
}

Result<SecretBytes> HpkeOpen(const P256PrivateKey& recipient, ByteView info, ByteView aad,
                             ByteView envelope) {
  if (envelope.size() < kEncSize + kAeadTagSize) return DecryptFailure();
  const Result<SecretBytes> shared = KemDecap(recipient, envelope.first(kEncSize));
  if (!shared) return DecryptFailure();
  const HpkeKeys keys = KeySchedule(HpkeAead::kAes256Gcm, shared->Expose(), info);
  SecretBytes out(envelope.size() - kEncSize - kAeadTagSize);
  TRY(NewOpenSslAead(keys.key.Expose())
          ->Open(keys.base_nonce.Expose(), aad, envelope.subspan(kEncSize), out.ExposeMutable()));
  return out;
}

}  // namespace cce::crypto
