// libarchive takes and gives names in the thread's locale; ours are UTF-8 whatever the program's
// locale is.
#pragma once

#include <locale.h>

namespace cce {

// While it lives, this thread's character type is UTF-8.
class Utf8Locale {
 public:
  Utf8Locale() : utf8_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), before_(uselocale(utf8_)) {}
  ~Utf8Locale() {
    uselocale(before_);
    if (utf8_ != nullptr) freelocale(utf8_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  bool valid() const { return utf8_ != nullptr; }

 private:
  locale_t utf8_;
  locale_t before_;
};

}  // namespace cce
