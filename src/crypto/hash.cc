#include "crypto/hash.h"

#include <botan/keccak.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "crypto/openssl.h"

namespace cce::crypto {
namespace {

// Fetched once: what EVP_sha256() gives is looked up again at every use.
const EVP_MD* FetchedSha256() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  Require(algorithm != nullptr);
  return algorithm;
}

template <size_t N>
ByteArray<N> Digest(const EVP_MD* algorithm, ByteView data) {
  ByteArray<N> out;
  Require(EVP_Digest(NonNull(data), data.size(), out.data(), nullptr, algorithm, nullptr) == 1);
  return out;
}

void Hmac(ByteView key, ByteView data, uint8_t* out32) {
  Require(HMAC(EVP_sha256(), NonNull(key), static_cast<int>(key.size()), NonNull(data), data.size(),
               out32, nullptr) != nullptr);
}

}  // namespace

Sha256Digest Sha256(ByteView data) { return Digest<32>(FetchedSha256(), data); }
Sha384Digest Sha384(ByteView data) { return Digest<48>(EVP_sha384(), data); }
Sha512Digest Sha512(ByteView data) { return Digest<64>(EVP_sha512(), data); }

ByteArray<32> Keccak256(ByteView data) {
  Botan::Keccak_1600 keccak(256);  // throws for other sizes only
  keccak.update(data.data(), data.size());
  ByteArray<32> out;
  keccak.final(out.data());
  return out;
}

ByteArray<32> HmacSha256(ByteView key, ByteView data) {
  ByteArray<32> out;
  Hmac(key, data, out.data());
  return out;
}

struct Sha256Stream::Impl {
  DigestContextPtr context{EVP_MD_CTX_new()};
  void Start() { Require(EVP_DigestInit_ex(context.get(), FetchedSha256(), nullptr) == 1); }
};

Sha256Stream::Sha256Stream() : impl_(std::make_unique<Impl>()) { impl_->Start(); }
Sha256Stream::~Sha256Stream() = default;
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;

void Sha256Stream::Update(ByteView data) {
  if (data.empty()) return;
  Require(EVP_DigestUpdate(impl_->context.get(), data.data(), data.size()) == 1);
}

Sha256Digest Sha256Stream::Finish() {
  Sha256Digest out;
  Require(EVP_DigestFinal_ex(impl_->context.get(), out.data(), nullptr) == 1);
  impl_->Start();
  return out;
}

SecretBytes HkdfExtract(ByteView salt, ByteView key) {
  // An absent salt means 32 zero bytes (RFC 5869 section 2.2), which HMAC's own padding makes of an
  // empty key.
  SecretBytes out(32);
  Hmac(salt, key, out.ExposeMutable().data());
  return out;
}

SecretBytes HkdfExpand(ByteView pseudorandom_key, ByteView info, size_t size) {
  Require(size <= size_t{255} * 32);
  SecretBytes out(size);
  SecretBytes block(32);
  Bytes input;  // T(i-1) || info || i
  input.reserve(32 + info.size() + 1);
  for (size_t done = 0, i = 1; done < size; ++i) {
    input.clear();
    if (i > 1) Append(input, block.Expose());
    Append(input, info);
    input.push_back(static_cast<uint8_t>(i));
    Hmac(pseudorandom_key, input, block.ExposeMutable().data());
    const size_t n = std::min<size_t>(32, size - done);
    std::copy_n(block.Expose().begin(), n, out.ExposeMutable().begin() + done);
    done += n;
  }
  Wipe(input);
  return out;
}

SecretBytes Hkdf(ByteView key, ByteView salt, std::string_view label,
                 std::initializer_list<ByteView> fields, size_t size) {
  return HkdfExpand(HkdfExtract(salt, key).Expose(), Frame(label, fields), size);
}

Bytes RandomBytes(size_t size) {
  Bytes out(size);
  Require(size <= INT32_MAX && RAND_bytes(out.data(), static_cast<int>(size)) == 1);
  return out;
}

SecretBytes RandomSecret(size_t size) {
  SecretBytes out(size);
  Require(size <= INT32_MAX &&
          RAND_priv_bytes(out.ExposeMutable().data(), static_cast<int>(size)) == 1);
  return out;
}

}  // namespace cce::crypto
