// Memory that begins on a page and is kept between uses: the kernel copies whole pages to and from
// it, where a vector, which begins a few bytes behind a page, costs up to twice as much.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace cce {

// Not thread-safe.
class PageBuffer {
 public:
  // `size` bytes of undefined content. Earlier spans are void where it had to grow.
  std::span<uint8_t> Room(size_t size) {
    if (size > size_) {
      bytes_.reset();
      bytes_.reset(static_cast<uint8_t*>(::operator new(size, kPage)));
      size_ = size;
    }
    return {bytes_.get(), size};
  }

 private:
  static constexpr std::align_val_t kPage{4096};
  struct Deleter {
    void operator()(uint8_t* bytes) const { ::operator delete(bytes, kPage); }
  };
  std::unique_ptr<uint8_t, Deleter> bytes_;
  size_t size_ = 0;
};

}  // namespace cce
