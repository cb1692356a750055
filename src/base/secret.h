// Secrets have a type of their own: bytes in locked pages that are left out of core dumps and of
// forked children, wiped when they end, that do not print, compare only in constant time, and move
// but never copy by accident. `grep Expose` finds every place that looks inside.
#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace cce {

class SecretBytes {
 public:
  SecretBytes() = default;
  // `size` zero bytes.
  explicit SecretBytes(size_t size);
  // Takes a copy; the caller wipes its own.
  static SecretBytes CopyOf(ByteView bytes);
  // Takes the bytes and wipes the vector given.
  static SecretBytes Adopt(Bytes&& bytes);

  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  SecretBytes Clone() const { return CopyOf(Expose()); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ByteView Expose() const { return {data_, size_}; }
  std::span<uint8_t> ExposeMutable() { return {data_, size_}; }

 private:
  void Release();
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Constant time in the contents (not in the lengths).
bool ConstantTimeEqual(ByteView a, ByteView b);
// Overwrites in a way that the compiler keeps.
void Wipe(std::span<uint8_t> bytes);
void Wipe(std::string& text);

// For main(): no core dumps, no ptrace by the same user.
Result<> HardenProcess();

}  // namespace cce
