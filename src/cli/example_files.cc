#include "cli/example_files.h"

#include <filesystem>

#include "base/file.h"

namespace cce::cli {

std::string FillExample(std::string_view example,
                        const std::vector<std::pair<std::string, std::string>>& values) {
  std::string text(example);
  for (const auto& [name, value] : values) {
    const std::string head = "\n" + name + " = ";
    const size_t at = text.find(head);
    if (at == std::string::npos) continue;
    const size_t start = at + head.size();
    const size_t line_end = std::min(text.find('\n', start), text.size());
    const size_t comment = text.find("  #", start);
    const size_t end = std::min(comment, line_end);
    text.replace(start, end - start, value);
  }
  return text;
}

Result<> WriteNewFile(const std::string& path, std::string_view text, bool force) {
  if (!force && std::filesystem::exists(path)) {
    return Fail(
        MakeError("cli.exists", path + " exists already").Next("Use --force to overwrite."));
  }
  return WriteFileAtomic(path, AsBytes(text));
}

}  // namespace cce::cli
