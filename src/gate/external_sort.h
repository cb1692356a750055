// Sorting more records than fit in memory: full buffers are sorted and written to scratch as runs,
// which are merged when they are read.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <list>
#include <type_traits>
#include <vector>

#include "gate/scratch.h"

namespace cce::gate {

// T is ordered by `<` over all of it, so that the order does not depend on where runs end. Not
// thread-safe.
template <typename T>
class ExternalSort {
  static_assert(std::is_trivially_copyable_v<T> && kScratchBlock % sizeof(T) == 0);

 public:
  // `memory`: bytes of the buffer. Reading takes a block a run besides.
  ExternalSort(Scratch& scratch, size_t memory)
      : scratch_(&scratch), room_(std::max<size_t>(memory / sizeof(T), 64)) {}

  // A failure to write is told by the next ForEach or Keep, and by the scratch.
  void Add(const T& record) {
    if (buffer_.size() == room_) Spill();
    if (buffer_.size() == buffer_.capacity()) {  // doubles, but not past its room
      buffer_.reserve(std::min(room_, 2 * buffer_.size() + 64));
    }
    buffer_.push_back(record);
    ++size_;
  }
  uint64_t size() const { return size_; }

  // `visit(const T&) -> Result<>` in order; stops at its first error. May be called again.
  template <typename F>
  Result<> ForEach(F&& visit) {
    std::sort(buffer_.begin(), buffer_.end());
    if (runs_.empty()) {
      for (const T& record : buffer_) TRY(visit(record));
      return {};
    }
    return Merge(visit);
  }

  // Keeps the records for which `keep(T&)` holds; it may change them where that keeps their order.
  template <typename F>
  Result<> Keep(F&& keep) {
    if (runs_.empty()) {
      std::erase_if(buffer_, [&](T& record) { return !keep(record); });
      size_ = buffer_.size();
      return scratch_->state();
    }
    ScratchFile kept(*scratch_);
    TRY(ForEach([&](T record) -> Result<> {
      if (keep(record)) kept.Append(BytesOf(record));
      return {};
    }));
    kept.Finish();
    size_ = kept.size() / sizeof(T);
    buffer_.clear();
    runs_.clear();
    runs_.push_back(std::move(kept));
    return scratch_->state();
  }

  // Forgets everything and gives its memory and its disk back.
  void Clear() {
    buffer_ = {};
    runs_.clear();
    size_ = 0;
  }

 private:
  struct Source {
    T record;
    size_t number;
    bool operator>(const Source& other) const { return other.record < record; }
  };

  static ByteView BytesOf(const T& record) {
    return {reinterpret_cast<const uint8_t*>(&record), sizeof(T)};
  }

  void Spill() {
    std::sort(buffer_.begin(), buffer_.end());
    ScratchFile run(*scratch_);
    run.Append({reinterpret_cast<const uint8_t*>(buffer_.data()), buffer_.size() * sizeof(T)});
    run.Finish();
    runs_.push_back(std::move(run));
    buffer_.clear();
  }

  template <typename F>
  Result<> Merge(F&& visit) {
    std::vector<ScratchFile::Reader> readers(runs_.begin(), runs_.end());
    size_t at = 0;
    // The next record of a source; the buffer stands behind the runs.
    const auto next = [&](Source& source) -> Result<bool> {
      if (source.number < readers.size()) {
        return readers[source.number].Read({reinterpret_cast<uint8_t*>(&source.record), sizeof(T)});
      }
      if (at == buffer_.size()) return false;
      source.record = buffer_[at++];
      return true;
    };
    std::vector<Source> heap;
    for (size_t i = 0; i <= readers.size(); ++i) {
      Source source{T{}, i};
      ASSIGN_OR_RETURN(const bool more, next(source));
      if (more) heap.push_back(source);
    }
    std::make_heap(heap.begin(), heap.end(), std::greater<>());
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), std::greater<>());
      TRY(visit(std::as_const(heap.back().record)));
      ASSIGN_OR_RETURN(const bool more, next(heap.back()));
      if (more) {
        std::push_heap(heap.begin(), heap.end(), std::greater<>());
      } else {
        heap.pop_back();
      }
    }
    return {};
  }

  Scratch* scratch_;
  size_t room_;
  std::vector<T> buffer_;
  std::list<ScratchFile> runs_;
  uint64_t size_ = 0;
};

}  // namespace cce::gate
