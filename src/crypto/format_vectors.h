// For unit tests: the test vectors that stand in docs/formats/*.md, in code blocks marked
// `vectors`, one `name = value` a line.
#pragma once

#include <map>
#include <sstream>
#include <stdexcept>
#include <string>

#include "base/bytes.h"
#include "base/file.h"

namespace cce {

class FormatVectors {
 public:
  // `page` like "crypto.md", in the folder that the build names.
  explicit FormatVectors(const std::string& page) {
    const auto text = ReadTextFile(std::string(CCE_FORMATS_DIR) + "/" + page, size_t{1} << 20);
    if (!text) throw std::runtime_error(FormatError(text.error()));
    std::istringstream lines(*text);
    bool inside = false;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("```")) {
        inside = line == "```vectors";
      } else if (const size_t at = line.find(" = "); inside && at != std::string::npos) {
        values_[line.substr(0, at)] = line.substr(at + 3);
      }
    }
  }

  const std::string& Text(const std::string& name) const { return values_.at(name); }
  Bytes Hex(const std::string& name) const { return FromHex(values_.at(name)).value(); }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace cce
