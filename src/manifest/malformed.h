// Errors of other parts as errors of a manifest. Internal to src/manifest.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cce::manifest {

// `cause` under a code of this part: the message says what was looked at, then what was wrong.
inline Error Because(std::string_view code, std::string_view what, const Error& cause) {
  Error out = cause;
  out.code = std::string(code);
  out.message = std::string(what) + ": " + cause.message;
  out.detail = cause.code + (cause.detail.empty() ? "" : ": " + cause.detail);
  out.next.clear();
  return out;
}

inline Error Malformed(std::string_view what, const Error& cause) {
  return Because("manifest.malformed", what, cause);
}

}  // namespace cce::manifest
