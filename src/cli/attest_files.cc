#include "cli/attest_files.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"

namespace cce::cli {
namespace {

constexpr size_t kMaxEvidence = 1 << 20;
constexpr size_t kMaxCollateral = 8 << 20;
constexpr size_t kMaxFolder = 64;

Result<std::vector<attest::NamedBytes>> ReadFolder(const std::string& path) {
  std::vector<attest::NamedBytes> out;
  std::error_code error;
  std::filesystem::directory_iterator it(path, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (!it->is_regular_file(error)) continue;
    if (out.size() >= kMaxFolder) {
      return Fail("input.too_large", path + " holds more than 64 files");
    }
    ASSIGN_OR_RETURN(Bytes bytes, ReadFile(it->path().string(), kMaxCollateral));
    out.push_back({it->path().filename().string(), std::move(bytes)});
  }
  if (error) return Fail("io.failed", path + ": " + error.message());
  std::ranges::sort(out, {}, &attest::NamedBytes::name);
  return out;
}

}  // namespace

Result<Bytes> ReadEvidence(const std::string& path) {
  ASSIGN_OR_RETURN(Bytes bytes, ReadFile(path, kMaxEvidence));
  std::string_view text = AsText(bytes);
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  if (const Result<Bytes> hex = FromHex(text, /*allow_0x=*/true); hex && !hex->empty()) return *hex;
  return bytes;
}

Result<attest::Collateral> ReadCollateral(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    ASSIGN_OR_RETURN(const std::vector<attest::NamedBytes> files, ReadFolder(path));
    return attest::AssembleCollateral(files);
  }
  ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxCollateral));
  return attest::ParseBundle(text);
}

Result<attest::Policy> ReadPolicyFile(const std::string& path) {
  if (path.empty()) return attest::StrictPolicy();
  ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxCollateral));
  const size_t first = text.find_first_not_of(" \t\r\n");
  const bool is_json = first != std::string::npos && text[first] == '{';
  ASSIGN_OR_RETURN(const Document document,
                   is_json ? ParseJsonDocument(text, path) : ParseToml(text, path));
  return attest::ReadPolicy(document);
}

Result<UnixSeconds> ReadMoment(const std::string& text) {
  if (text.empty()) return SystemClock().Now();
  if (text.size() <= 12 && text.find_first_not_of("0123456789") == std::string::npos) {
    UnixSeconds out = 0;
    for (const char digit : text) out = out * 10 + (digit - '0');
    return out;
  }
  return ParseTime(text);
}

}  // namespace cce::cli
