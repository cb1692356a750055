// Who is writing objects that no journal entry names yet. The collector removes an object only when
// every writer that might have written it has told the journal, or given up. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

namespace cce::privacy_plane {

class WritesInFlight {
 public:
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept
        : of_(std::exchange(other.of_, nullptr)), number_(other.number_) {}
    Ticket& operator=(Ticket&& other) noexcept {
      Return();
      of_ = std::exchange(other.of_, nullptr);
      number_ = other.number_;
      return *this;
    }
    ~Ticket() { Return(); }
    void Return() {
      if (of_ != nullptr) std::exchange(of_, nullptr)->End(number_);
    }
    bool held() const { return of_ != nullptr; }

   private:
    friend class WritesInFlight;
    Ticket(WritesInFlight* of, uint64_t number) : of_(of), number_(number) {}
    WritesInFlight* of_ = nullptr;
    uint64_t number_ = 0;
  };

  Ticket Begin() {
    const std::lock_guard lock(mutex_);
    open_.insert(next_);
    return {this, next_++};
  }
  // A moment: all tickets given before it have smaller numbers.
  uint64_t Mark() const {
    const std::lock_guard lock(mutex_);
    return next_;
  }
  // Whether all tickets given before `mark` are back.
  bool AllBack(uint64_t mark) const {
    const std::lock_guard lock(mutex_);
    return open_.empty() || *open_.begin() >= mark;
  }

 private:
  void End(uint64_t number) {
    const std::lock_guard lock(mutex_);
    open_.erase(number);
  }
  mutable std::mutex mutex_;
  std::set<uint64_t> open_;
  uint64_t next_ = 0;
};

}  // namespace cce::privacy_plane
