#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/answer.h"

namespace cce::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kPlainLine{5};

std::string Duration(double seconds) {
  const auto s = static_cast<uint64_t>(std::llround(seconds));
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return std::to_string(s / 60) + " min " + std::to_string(s % 60) + " s";
  return std::to_string(s / 3600) + " h " + std::to_string(s % 3600 / 60) + " min";
}

}  // namespace

std::string ProgressLine(const ProgressState& s) {
  const uint64_t percent = s.total_bytes == 0 ? 100 : s.bytes * 100 / s.total_bytes;
  std::string line = s.what + " " + std::to_string(percent) + "%  " + FormatBytes(s.bytes) +
                     " of " + FormatBytes(s.total_bytes);
  if (s.total_files > 0) {
    line += "  " + std::to_string(s.files) + " of " + std::to_string(s.total_files) + " files";
  }
  if (s.rate >= 1) {
    line += "  " + FormatBytes(static_cast<uint64_t>(s.rate)) + "/s";
    if (s.bytes < s.total_bytes) {
      line += "  " + Duration(static_cast<double>(s.total_bytes - s.bytes) / s.rate) + " left";
    }
  }
  return line;
}

Progress::Progress(std::string what, uint64_t total_bytes, uint64_t total_files, bool quiet)
    : what_(std::move(what)),
      total_bytes_(total_bytes),
      total_files_(total_files),
      quiet_(quiet),
      terminal_(::isatty(STDERR_FILENO) == 1),
      drawn_(start_) {}

void Progress::Add(int64_t bytes, int64_t files, bool already) {
  const std::lock_guard lock(mutex_);
  bytes_ += bytes;
  files_ += files;
  if (!already) moved_ += bytes;
  const auto now = Clock::now();
  if (terminal_ ? now - drawn_ >= kRedraw : now - drawn_ >= kPlainLine) {
    drawn_ = now;
    Draw(false);
  }
}

void Progress::Finish() {
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  finished_ = true;
  Draw(true);
}

void Progress::Draw(bool last) {
  if (quiet_) return;
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  ProgressState state{
      what_,
      static_cast<uint64_t>(std::max<int64_t>(bytes_, 0)),
      total_bytes_,
      static_cast<uint64_t>(std::max<int64_t>(files_, 0)),
      total_files_,
      seconds > 0.2 ? static_cast<double>(std::max<int64_t>(moved_, 0)) / seconds : 0};
  const std::string line = ProgressLine(state);
  if (terminal_) {
    std::fprintf(stderr, "\r%s\x1b[K%s", line.c_str(), last ? "\n" : "");
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

}  // namespace cce::cli
