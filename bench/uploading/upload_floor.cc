// CPU seconds of one core for each GB of an upload that cced cannot do without, with the libraries
// that it uses, each measured alone: opening TLS records (AES-256-GCM by OpenSSL, 16 KiB each),
// SHA-256 over the leaves of the content and of the ciphertext, sealing (the AEAD of choice, chunks
// of 64 KiB). Prints one JSON object: "tls", "sha256", "aead". Each figure is the best of several
// rounds.
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <functional>

#include "base/bytes.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

namespace cce {
namespace {

constexpr size_t kRecord = size_t{16} << 10;
constexpr size_t kChunk = size_t{64} << 10;
constexpr size_t kLeaf = size_t{16} << 10;
constexpr size_t kEachRound = size_t{256} << 20;
constexpr int kRounds = 5;

double ThreadCpu() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// `step` works on `size` bytes; false where it failed.
double SecondsPerGb(size_t size, const std::function<bool()>& step) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const double began = ThreadCpu();
    for (size_t done = 0; done < kEachRound; done += size) {
      if (!step()) return -1;
    }
    best = std::min(best, (ThreadCpu() - began) / (static_cast<double>(kEachRound) / 1e9));
  }
  return best;
}

int Main() {
  const Bytes key = crypto::RandomBytes(crypto::kAeadKeySize);
  const Bytes nonce = crypto::RandomBytes(crypto::kAeadNonceSize);
  const Bytes header = crypto::RandomBytes(16);
  const Bytes content = crypto::RandomBytes(kChunk);
  const auto tls = crypto::NewAead(key, crypto::AeadBackend::kOpenSsl);
  const auto aead = crypto::NewAead(key);
  if (!tls || !aead) return 1;
  Bytes record(kRecord + crypto::kAeadTagSize);
  if (!(*tls)->Seal(nonce, header, ByteView(content).first(kRecord), record)) return 1;
  Bytes opened(kRecord);
  Bytes sealed(kChunk + crypto::kAeadTagSize);
  const Bytes batch = crypto::RandomBytes(crypto::kSha256Lanes * kLeaf);
  std::array<ByteView, crypto::kSha256Lanes> leaves;
  for (size_t i = 0; i < leaves.size(); ++i) leaves[i] = ByteView(batch).subspan(i * kLeaf, kLeaf);
  std::array<crypto::Sha256Digest, crypto::kSha256Lanes> digests;
  const double tls_seconds = SecondsPerGb(
      kRecord, [&] { return (*tls)->Open(nonce, header, record, opened).has_value(); });
  const double aead_seconds = SecondsPerGb(
      kChunk, [&] { return (*aead)->Seal(nonce, header, content, sealed).has_value(); });
  const double hash_seconds = SecondsPerGb(batch.size(), [&] {
    crypto::Sha256Each(leaves, digests);
    return true;
  });
  if (tls_seconds < 0 || aead_seconds < 0) return 1;
  std::printf("{\"tls\": %.4f, \"sha256\": %.4f, \"aead\": %.4f}\n", tls_seconds, 2 * hash_seconds,
              aead_seconds);
  return 0;
}

}  // namespace
}  // namespace cce

int main() { return cce::Main(); }
