// Files that are read in order, and how the threads that read ahead for their readers are
// scheduled.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace cce::decrypt_fs {

// Where reads ended lately. A hint: a few hundred places, which others may take. Thread-safe.
class Streams {
 public:
  // Whether the read begins where an earlier one of the file ended. Remembers its own end.
  bool Continues(uint64_t inode, uint64_t offset, uint64_t size) {
    const uint64_t begin = Place(inode, offset), end = Place(inode, offset + size);
    const bool known = Slot(begin).load(std::memory_order_relaxed) == begin;
    Slot(end).store(end, std::memory_order_relaxed);
    return known;
  }

 private:
  static uint64_t Place(uint64_t inode, uint64_t offset) {
    uint64_t mixed = (inode * 0x9E3779B97F4A7C15 + offset) * 0xD6E8FEB86659FD93;
    mixed ^= mixed >> 32;
    return mixed * 0xD6E8FEB86659FD93 | 1;  // never 0, which an unused slot holds
  }
  std::atomic<uint64_t>& Slot(uint64_t place) { return ends_[place >> 56]; }

  std::array<std::atomic<uint64_t>, 256> ends_{};
};

// Says of the calling thread whether it reads ahead for somebody. He copies what he has while we
// make the next ready; were we to take his processor as soon as there is something to do, which is
// what the kernel lets a thread do that has slept, both would work in turns and a processor would
// be idle. SCHED_BATCH (sched(7)) takes none from others on waking. Whoever is not ahead is waited
// for, and should get it: SCHED_OTHER.
inline void ScheduleAs(bool ahead) {
  thread_local bool is_ahead = false;
  if (ahead == is_ahead) return;
  const sched_param none{};
  // Where the kernel refuses, speed is all that is lost.
  if (::pthread_setschedparam(::pthread_self(), ahead ? SCHED_BATCH : SCHED_OTHER, &none) == 0) {
    is_ahead = ahead;
  }
}

}  // namespace cce::decrypt_fs
