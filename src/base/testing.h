// For tests of every part: what a Result holds, or its code.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "base/result.h"

namespace cce {

// The value; without one the test program ends, having said why.
template <typename T>
T Must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << FormatError(result.error()) << result.error().detail;
    std::abort();
  }
  return std::move(*result);
}

// The error's code, or "ok".
std::string CodeOf(const auto& result) { return result ? "ok" : result.error().code; }

}  // namespace cce
