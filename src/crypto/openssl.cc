#include "crypto/openssl.h"

#include <openssl/err.h>

#include <cstdlib>

namespace cce::crypto {

Unexpected OpenSslFailure(std::string_view what) {
  ERR_clear_error();
  return Fail("crypto.failed", "cannot " + std::string(what));
}

void Require(bool ok) {
  if (!ok) std::abort();
}

}  // namespace cce::crypto
