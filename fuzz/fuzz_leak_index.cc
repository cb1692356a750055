// A stored leak index, opened, and each of its pages.
#include "gate/leak_lookup.h"

namespace {

class Given : public cce::gate::IndexSource {
 public:
  Given(const uint8_t* data, size_t size) : bytes_(data, size) {}
  uint64_t size() const override { return bytes_.size(); }
  cce::Result<> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }

 private:
  cce::ByteView bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const cce::Bytes key(cce::gate::kLeakKeySize, 7);
  const auto index = cce::gate::LeakIndex::Open(key, std::make_shared<Given>(data, size));
  if (!index) return 0;
  for (size_t s = 0; s < cce::gate::kSections; ++s) {
    const auto section = static_cast<cce::gate::Section>(s);
    for (size_t i = 0; i < index->data().section(section).pages.size(); ++i) {
      (void)index->data().ReadPage(section, i);
    }
  }
  return 0;
}
