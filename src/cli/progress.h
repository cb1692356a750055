// Progress of a transfer on standard error: one line that is drawn again on a terminal, a plain
// line now and then elsewhere. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace cce::cli {

class Progress {
 public:
  // `total_files` 0: files are not shown. `quiet`: nothing is shown.
  Progress(std::string what, uint64_t total_bytes, uint64_t total_files, bool quiet);
  ~Progress() { Finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // More was moved; `already`: it had been there before and does not count for the rate. Negative
  // where a part begins anew.
  void Add(int64_t bytes, int64_t files, bool already = false);
  // Draws the last state and ends the line. Idempotent.
  void Finish();

 private:
  using Clock = std::chrono::steady_clock;
  void Draw(bool last);  // with mutex_ held

  const std::string what_;
  const uint64_t total_bytes_, total_files_;
  const bool quiet_, terminal_;
  std::mutex mutex_;
  int64_t bytes_ = 0, files_ = 0, moved_ = 0;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_;
  bool finished_ = false;
};

// The line itself, without its end.
struct ProgressState {
  std::string what;
  uint64_t bytes = 0, total_bytes = 0;
  uint64_t files = 0, total_files = 0;
  double rate = 0;  // bytes a second; 0: not known
};
std::string ProgressLine(const ProgressState& state);

}  // namespace cce::cli
