#include "base/result.h"

namespace cce {

Error::Error() = default;
Error::Error(std::string_view error_code, std::string error_message)
    : code(error_code), message(std::move(error_message)) {}
Error::Error(const Error&) = default;
Error::Error(Error&&) noexcept = default;
Error& Error::operator=(const Error&) = default;
Error& Error::operator=(Error&&) noexcept = default;
Error::~Error() = default;

Error&& Error::Expected(std::string v) && {
  expected = std::move(v);
  return std::move(*this);
}

Error&& Error::Found(std::string v) && {
  found = std::move(v);
  return std::move(*this);
}

Error&& Error::Next(std::string v) && {
  next = std::move(v);
  return std::move(*this);
}

Error&& Error::Detail(std::string v) && {
  detail = std::move(v);
  return std::move(*this);
}

Error MakeError(std::string_view code, std::string message) { return {code, std::move(message)}; }

Unexpected Fail(std::string_view code, std::string message) {
  return Unexpected(Error(code, std::move(message)));
}

Unexpected Fail(Error error) { return Unexpected(std::move(error)); }

}  // namespace cce
