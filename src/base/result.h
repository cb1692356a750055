// Errors are values. A function that can fail returns Result<T>; nothing throws across a part's
// border.
//
// An Error carries a stable code `area.reason` (one table: base/error_table.inc, which also makes
// docs/errors.md) and, for people: what was expected, what was found, and what to do next.
// Texts never hold secrets. `detail` is for operator and owner only; it never reaches a consumer or
// CVM.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace cce {

// Its copying, moving and end are not inline: nearly every line of the product may fail, and what
// is repeated there is compiled each time.
struct Error {
  std::string code;      // "area.reason", a row of error_table.inc
  std::string message;   // one line: what happened
  std::string expected;  // may be empty
  std::string found;     // may be empty
  std::string next;      // may be empty: the table's own advice is shown then
  std::string detail;    // may be empty: for operator and owner only

  Error();
  Error(std::string_view error_code, std::string error_message);
  Error(const Error&);
  Error(Error&&) noexcept;
  Error& operator=(const Error&);
  Error& operator=(Error&&) noexcept;
  ~Error();

  Error&& Expected(std::string v) &&;
  Error&& Found(std::string v) &&;
  Error&& Next(std::string v) &&;
  Error&& Detail(std::string v) &&;
};

template <typename T = void>
using Result = tl::expected<T, Error>;

using Unexpected = tl::unexpected<Error>;

// Makes an Error; `code` must be a literal row of error_table.inc (./test lint checks every
// literal).
Error MakeError(std::string_view code, std::string message);

// return Fail("dataset.corrupt", "chunk 3 does not authenticate");
Unexpected Fail(std::string_view code, std::string message);
Unexpected Fail(Error error);

// A row of the error table.
struct ErrorInfo {
  std::string_view code;
  int http_status;           // status that the API answers with
  std::string_view meaning;  // one sentence
  std::string_view next;     // what to do next
};

// The row for `code`, or null where the table has none. Thread-safe.
const ErrorInfo* FindErrorInfo(std::string_view code);
// All rows, sorted as in the table.
std::pair<const ErrorInfo*, size_t> AllErrorInfos();

// The error as people meet it: code, message, expected, found, next; a line each.
std::string FormatError(const Error& error);

}  // namespace cce

#define CCE_CONCAT_(a, b) a##b
#define CCE_CONCAT(a, b) CCE_CONCAT_(a, b)

// TRY(expr): returns expr's error from this function, else goes on.
#define TRY(expr)                                                  \
  do {                                                             \
    if (auto cce_try_result = (expr); !cce_try_result)             \
      return ::cce::Unexpected(std::move(cce_try_result).error()); \
  } while (false)

// ASSIGN_OR_RETURN(auto x, expr): binds the value or returns the error.
#define ASSIGN_OR_RETURN(lhs, expr) ASSIGN_OR_RETURN_(CCE_CONCAT(cce_result_, __LINE__), lhs, expr)
// NOLINTBEGIN(bugprone-macro-parentheses): names and declarations take none.
#define ASSIGN_OR_RETURN_(result, lhs, expr)                        \
  auto result = (expr);                                             \
  if (!result) return ::cce::Unexpected(std::move(result).error()); \
  lhs = std::move(*result)
// NOLINTEND(bugprone-macro-parentheses)
