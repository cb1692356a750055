// The reading side of the bench, so that no interpreter is measured with it. Prints one JSON
// object: seconds, CPU seconds of this process, bytes, and the 99th percentile of one operation.
//
//   read-load sequential FILE READERS   each reader takes its own slice in reads of 1 MiB
//   read-load small ROOT LIST           open, read, close of each path that LIST names, in its
//   order
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/page_buffer.h"

namespace cce {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kRead = size_t{1} << 20;

double Seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Outcome {
  std::atomic<uint64_t> bytes = 0;
  std::atomic<bool> failed = false;
  std::vector<double> micros;  // of each operation; of the first reader alone
};

void ReadSlice(const char* path, uint64_t begin, uint64_t end, Outcome& outcome, bool timed) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  PageBuffer memory;
  const std::span<uint8_t> buffer = memory.Room(kRead);
  while (begin < end) {
    const auto started = Clock::now();
    const ssize_t n = ::pread(fd.get(), buffer.data(), std::min<uint64_t>(kRead, end - begin),
                              static_cast<off_t>(begin));
    if (n <= 0) {
      outcome.failed = true;
      return;
    }
    if (timed) outcome.micros.push_back(Seconds(Clock::now() - started) * 1e6);
    begin += static_cast<uint64_t>(n);
    outcome.bytes += static_cast<uint64_t>(n);
  }
}

void ReadSequentially(const char* path, uint64_t readers, Outcome& outcome) {
  struct stat info{};
  if (::stat(path, &info) != 0) {
    outcome.failed = true;
    return;
  }
  const uint64_t slice = (static_cast<uint64_t>(info.st_size) / readers) & ~(kRead - 1);
  std::vector<std::jthread> threads;
  for (uint64_t i = 0; i < readers; ++i) {
    const uint64_t end = i + 1 == readers ? static_cast<uint64_t>(info.st_size) : (i + 1) * slice;
    threads.emplace_back([=, &outcome] { ReadSlice(path, i * slice, end, outcome, i == 0); });
  }
}

void ReadSmall(int root, const std::vector<std::string>& paths, Outcome& outcome) {
  PageBuffer memory;
  const std::span<uint8_t> buffer = memory.Room(kRead);
  outcome.micros.reserve(paths.size());
  for (const std::string& path : paths) {
    const auto started = Clock::now();
    const UniqueFd fd(::openat(root, path.c_str(), O_RDONLY | O_CLOEXEC));
    ssize_t n = 0;
    while ((n = ::read(fd.get(), buffer.data(), buffer.size())) > 0) {
      outcome.bytes += static_cast<uint64_t>(n);
    }
    if (n < 0) outcome.failed = true;
    outcome.micros.push_back(Seconds(Clock::now() - started) * 1e6);
  }
}

std::vector<std::string> Lines(const char* path) {
  std::vector<std::string> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

int Main(int argc, char** argv) {
  const std::string mode = argc == 4 ? argv[1] : "";
  Outcome outcome;
  std::vector<std::string> paths;
  UniqueFd root;
  if (mode == "small") {
    paths = Lines(argv[3]);
    root = UniqueFd(::open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  } else if (mode != "sequential") {
    std::fputs("read-load sequential FILE READERS | small ROOT LIST\n", stderr);
    return 2;
  }
  const double cpu = CpuSeconds();
  const auto started = Clock::now();
  if (mode == "small") {
    ReadSmall(root.get(), paths, outcome);
  } else {
    ReadSequentially(argv[2], std::max<uint64_t>(std::stoul(argv[3]), 1), outcome);
  }
  const double seconds = Seconds(Clock::now() - started);
  if (outcome.failed || outcome.micros.empty()) {
    std::fputs("a read failed\n", stderr);
    return 1;
  }
  std::sort(outcome.micros.begin(), outcome.micros.end());
  std::printf("{\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"bytes\":%llu,\"p99_micros\":%.1f}\n",
              seconds, CpuSeconds() - cpu, static_cast<unsigned long long>(outcome.bytes.load()),
              outcome.micros[outcome.micros.size() * 99 / 100]);
  return 0;
}

}  // namespace
}  // namespace cce

int main(int argc, char** argv) { return cce::Main(argc, argv); }
