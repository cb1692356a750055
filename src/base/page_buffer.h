// Memory that begins on a page and is kept between uses: the kernel copies whole pages to and from
// it, where a vector, which begins a few bytes behind a page, costs up to twice as much. Large
// buffers ask for huge pages, of which there are fewer to walk.
#pragma once

#include <sys/mman.h>

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
      size_ = 0;
      size_ = size < kHugePage / 2 ? size : (size + kHugePage - 1) / kHugePage * kHugePage;
      bytes_ =
          Memory(static_cast<uint8_t*>(::operator new(size_, AlignmentOf(size_))), Deleter{size_});
      if (size_ >= kHugePage) ::madvise(bytes_.get(), size_, MADV_HUGEPAGE);  // a wish
    }
    return {bytes_.get(), size};
  }

 private:
  static constexpr size_t kPage = 4096;
  static constexpr size_t kHugePage = size_t{2} << 20;
  static std::align_val_t AlignmentOf(size_t size) {
    return std::align_val_t{size < kHugePage ? kPage : kHugePage};
  }
  struct Deleter {
    size_t size;
    void operator()(uint8_t* bytes) const { ::operator delete(bytes, AlignmentOf(size)); }
  };
  using Memory = std::unique_ptr<uint8_t, Deleter>;
  Memory bytes_{nullptr, Deleter{0}};
  size_t size_ = 0;
};

}  // namespace cce
