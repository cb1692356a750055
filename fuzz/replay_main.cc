// Runs a target once over each file of the folders given: for builds without
// libFuzzer.
#include <cstdint>
#include <cstdio>
#include <filesystem>

#include "base/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      const auto bytes = cce::ReadFile(entry.path(), size_t{64} << 20);
      if (!bytes) {
        std::fputs((cce::FormatError(bytes.error()) + "\n").c_str(), stderr);
        return 1;
      }
      LLVMFuzzerTestOneInput(bytes->data(), bytes->size());
      ++count;
    }
  }
  std::printf("%d inputs\n", count);
  return 0;
}
