#include "base/secret.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace cce {
namespace {

size_t PageRound(size_t size) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

}  // namespace

void Wipe(std::span<uint8_t> bytes) {
  if (!bytes.empty()) explicit_bzero(bytes.data(), bytes.size());
}
void Wipe(std::string& text) {
  if (!text.empty()) explicit_bzero(text.data(), text.size());
}

SecretBytes::SecretBytes(size_t size) : size_(size) {
  if (size == 0) return;
  const size_t mapped = PageRound(size);
  void* p = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) std::abort();  // no memory for a key: nothing sensible can follow
  // Where RLIMIT_MEMLOCK is spent the page may be swapped; the other protections still hold.
  (void)mlock(p, mapped);
  (void)madvise(p, mapped, MADV_DONTDUMP);
  (void)madvise(p, mapped, MADV_DONTFORK);
  data_ = static_cast<uint8_t*>(p);
}

SecretBytes SecretBytes::CopyOf(ByteView bytes) {
  SecretBytes out(bytes.size());
  if (out.data_ != nullptr) std::memcpy(out.data_, bytes.data(), bytes.size());
  return out;
}

SecretBytes SecretBytes::Adopt(Bytes&& bytes) {
  SecretBytes out = CopyOf(bytes);
  Wipe(bytes);
  bytes.clear();
  return out;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    Release();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

SecretBytes::~SecretBytes() { Release(); }

void SecretBytes::Release() {
  if (data_ == nullptr) return;
  Wipe({data_, size_});
  munmap(data_, PageRound(size_));
  data_ = nullptr;
  size_ = 0;
}

bool ConstantTimeEqual(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference = difference | (a[i] ^ b[i]);
  return difference == 0;
}

Result<> HardenProcess() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
    return Fail("io.failed", std::string("core dumps cannot be switched off: ") + strerror(errno));
  }
  return {};
}

}  // namespace cce
