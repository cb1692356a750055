#include <algorithm>
#include <array>

#include "base/result.h"

namespace cce {
namespace {

constexpr ErrorInfo kTable[] = {
#define CCE_ERROR(code, status, meaning, next) {code, status, meaning, next},
#include "base/error_table.inc"
#undef CCE_ERROR
};

}  // namespace

const ErrorInfo* FindErrorInfo(std::string_view code) {
  const auto* row =
      std::ranges::find_if(kTable, [code](const ErrorInfo& info) { return info.code == code; });
  return row == std::end(kTable) ? nullptr : row;
}

std::pair<const ErrorInfo*, size_t> AllErrorInfos() { return {kTable, std::size(kTable)}; }

std::string FormatError(const Error& error) {
  std::string text = error.code + ": " + error.message;
  if (!error.expected.empty()) text += "\n  expected " + error.expected;
  if (!error.found.empty()) text += "\n  found    " + error.found;
  std::string next = error.next;
  if (next.empty()) {
    if (const ErrorInfo* info = FindErrorInfo(error.code)) next = info->next;
  }
  if (!next.empty()) text += "\n  next     " + next;
  return text;
}

}  // namespace cce
