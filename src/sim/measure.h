// Sealed copies of a machine's files, and what the chip measures of them
// (docs/formats/simulated-chip.md).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"
#include "crypto/hash.h"
#include "protocol/simulated_chip.h"

namespace cce::sim {

constexpr uint64_t kMaxFileSize = uint64_t{1} << 30;

// A file as it was when it was copied: nobody, not even this process, can change it any more.
struct SealedFile {
  std::string role;
  UniqueFd fd;  // a memfd, opened read-only, all seals set
  uint64_t size = 0;
  crypto::Sha384Digest digest{};  // of the sealed bytes
  crypto::Sha256Digest sha256{};  // the same, of a launch document only
};

// Copies the regular file behind `fd` from its beginning; its position is left alone.
// input.malformed for anything else than a readable regular file, input.too_large.
Result<SealedFile> SealFile(std::string role, int fd);

// input.malformed for an unknown guest kind or where the kind's first role is missing.
Result<protocol::ChipMeasurement> Measure(const std::string& guest,
                                          std::span<const SealedFile> files);

// The known kinds of guest, for a help text.
std::string GuestKinds();

// "role=PATH" as given on the command line, opened and sealed.
Result<std::vector<SealedFile>> SealNamedFiles(const std::vector<std::string>& arguments);

}  // namespace cce::sim
