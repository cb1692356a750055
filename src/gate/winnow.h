// Winnowing (Schleimer, Wilkerson, Aiken 2003): of every window of w consecutive k-grams one is
// kept, so that any shared run of w + k - 1 = 39 bytes shares a fingerprint. A rolling hash
// chooses; what is kept is the keyed hash of the k bytes.
#pragma once

#include <array>
#include <functional>
#include <string_view>

#include "gate/keyed_hash.h"

namespace cce::gate {

constexpr size_t kShingle = 24;
constexpr size_t kWindow = 16;

class Winnower {
 public:
  explicit Winnower(const KeyedHash& hash);
  // Feeds normalised bytes; `found(fingerprint, position of its first byte)` for each one kept.
  template <typename F>
  void Feed(std::string_view bytes, F&& found) {
    for (const char c : bytes) {
      if (Step(static_cast<uint8_t>(c))) found(Fingerprint(), chosen_);
    }
  }
  // Forgets what came before: the next byte begins a new text.
  void Reset();

 private:
  bool Step(uint8_t c);
  uint64_t Fingerprint() const;
  static constexpr size_t kRing = 64;  // > kShingle + kWindow

  KeyedHash hash_;
  uint64_t base_ = 0, top_ = 0, mix_ = 0;
  uint64_t rolling_ = 0;
  uint64_t count_ = 0;            // bytes fed
  uint64_t chosen_ = UINT64_MAX;  // position of the last one kept
  std::array<uint8_t, kRing> bytes_{};
  std::array<uint64_t, kWindow> order_{};  // scrambled rolling hashes of the last k-grams
};

}  // namespace cce::gate
