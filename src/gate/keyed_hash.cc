#include "gate/keyed_hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>

#include "base/secret.h"

namespace cce::gate {
namespace {

struct MacDelete {
  void operator()(EVP_MAC* m) const { EVP_MAC_free(m); }
  void operator()(EVP_MAC_CTX* c) const { EVP_MAC_CTX_free(c); }
};

void PutU64(std::array<uint8_t, 160>& out, size_t& size, uint64_t v) {
  for (int i = 56; i >= 0; i -= 8) out[size++] = static_cast<uint8_t>(v >> i);
}

}  // namespace

struct KeyedHash::Impl {
  std::unique_ptr<EVP_MAC, MacDelete> mac;
  std::unique_ptr<EVP_MAC_CTX, MacDelete> context;
  SecretBytes key;
};

Result<KeyedHash> KeyedHash::New(ByteView key) {
  if (key.size() < 16) return Fail("crypto.bad_key", "the index key is too short");
  KeyedHash out;
  out.impl_ = std::make_shared<Impl>();
  Impl& impl = *out.impl_;
  impl.key = SecretBytes::CopyOf(key.first(16));
  impl.mac.reset(EVP_MAC_fetch(nullptr, "SIPHASH", nullptr));
  impl.context.reset(impl.mac ? EVP_MAC_CTX_new(impl.mac.get()) : nullptr);
  size_t size = 8;
  unsigned int c_rounds = 1, d_rounds = 3;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                               OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c_rounds),
                               OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d_rounds),
                               OSSL_PARAM_construct_end()};
  if (!impl.context ||
      EVP_MAC_init(impl.context.get(), impl.key.Expose().data(), 16, params) != 1) {
    return Fail("crypto.failed", "SipHash is not available");
  }
  return out;
}

uint64_t KeyedHash::operator()(KeyKind kind, ByteView data) const {
  EVP_MAC_CTX* context = impl_->context.get();
  const auto tag = static_cast<uint8_t>(kind);
  std::array<uint8_t, 8> out{};
  size_t size = 0;
  // These cannot fail once New has succeeded: memory for the state is there.
  EVP_MAC_init(context, impl_->key.Expose().data(), 16, nullptr);
  EVP_MAC_update(context, &tag, 1);
  EVP_MAC_update(context, data.data(), data.size());
  EVP_MAC_final(context, out.data(), &size, out.size());
  return ReadU64(out.data());
}

uint64_t KeyedHash::Cell(KeyKind kind, const Canon& cell) const {
  std::array<uint8_t, 160> buffer;
  size_t size = 0;
  if (cell.number) {
    buffer[size++] = cell.negative ? 2 : 1;
    PutU64(buffer, size, cell.mantissa);
    PutU64(buffer, size, static_cast<uint64_t>(static_cast<int64_t>(cell.exponent)));
  } else {
    buffer[size++] = 0;
    for (const char c : cell.word) {
      if (size < buffer.size()) buffer[size++] = static_cast<uint8_t>(c);
    }
  }
  return (*this)(kind, ByteView(buffer.data(), size));
}

uint64_t KeyedHash::Pair(uint64_t a, uint64_t b) const {
  std::array<uint8_t, 160> buffer;
  size_t size = 0;
  PutU64(buffer, size, std::min(a, b));
  PutU64(buffer, size, std::max(a, b));
  return (*this)(KeyKind::kPair, ByteView(buffer.data(), size));
}

uint64_t KeyedHash::Row(std::vector<uint64_t>& cells) const {
  std::sort(cells.begin(), cells.end());
  Bytes buffer;
  buffer.reserve(cells.size() * 8);
  for (const uint64_t c : cells) AppendU64(buffer, c);
  return (*this)(KeyKind::kRow, buffer);
}

}  // namespace cce::gate
