// Where the root key comes from. Everything that cced can open hangs on these 32 bytes.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/secret.h"

namespace cce::privacy_plane {

class RootKeySource {
 public:
  virtual ~RootKeySource() = default;
  virtual std::string Name() const = 0;    // as the identity document names it
  virtual bool IsDevelopment() const = 0;  // true: clients refuse it without --allow-development
  // 32 bytes; the same at every start.
  virtual Result<SecretBytes> Load() = 0;
};

// A file of 32 raw bytes, mode 0600, made at the first start. Development: whoever reads the disk
// has it.
std::unique_ptr<RootKeySource> NewFileRootKey(std::string path);

}  // namespace cce::privacy_plane
