// What a front needs of a TEE: a provider's name and evidence over a caller's bytes. One writer a
// TEE.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace cce::sim {

class ReportSource {
 public:
  virtual ~ReportSource() = default;
  // What the kernel shows in `provider`.
  virtual std::string_view provider() const = 0;
  // Evidence over `inblob` (1 to 64 bytes). input.malformed where the TEE does not take such an
  // inblob.
  virtual Result<Bytes> NewReport(ByteView inblob) const = 0;
  // What the kernel shows in `auxblob`; a front of a source without one has no such file.
  virtual bool has_auxiliary() const { return false; }
  virtual Bytes Auxiliary() const { return {}; }
};

}  // namespace cce::sim
