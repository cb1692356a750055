// The remembering verifier: results of the collateral stage, keyed by everything that went into
// them.
#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <unordered_map>

#include "attest/trust_source.h"

namespace cce::attest {
namespace {

// Everything that the collateral stage reads, as views: equal questions are equal inputs, part for
// part and byte for byte, so that nothing rests on a digest's strength. The hash only spreads: it
// reads each part's size and end, where certificates, CRLs and documents have their signatures.
class Question {
 public:
  void Add(ByteView part) {
    parts_.push_back(part);
    const ByteView end = part.last(std::min<size_t>(part.size(), 64));
    hash_ = hash_ * 31 + std::hash<std::string_view>()(AsText(end)) + part.size();
  }
  void Add(const std::vector<Bytes>& parts) {
    count_.push_back(parts.size());
    for (const Bytes& part : parts) Add(part);
  }
  void Add(const SignedDocument& document) {
    Add(AsBytes(document.body));
    Add(document.signature);
  }
  // Small members are copied: what is left of the question.
  void Finish(const std::vector<TrustedRoot>& roots, bool flag) {
    for (const size_t count : count_) AppendU32(rest_, static_cast<uint32_t>(count));
    AppendU32(rest_, static_cast<uint32_t>(roots.size()));
    for (const TrustedRoot& root : roots) {
      AppendU32(rest_, static_cast<uint32_t>(root.name.size()));
      Append(rest_, AsBytes(root.name));
      Append(rest_, root.sha256);
      rest_.push_back(root.vendor);
      rest_.push_back(root.tee ? static_cast<uint8_t>(*root.tee) : 0xff);
      rest_.push_back(static_cast<uint8_t>(root.product));
    }
    rest_.push_back(flag);
    Add(rest_);
  }
  size_t hash() const { return hash_; }
  const std::vector<ByteView>& parts() const { return parts_; }

 private:
  std::vector<ByteView> parts_;
  std::vector<size_t> count_;
  Bytes rest_;
  size_t hash_ = 0;
};

// A question that is kept, with bytes of its own.
struct KeptQuestion {
  explicit KeptQuestion(const Question& question) : hash(question.hash()) {
    for (const ByteView part : question.parts()) parts.push_back(ToBytes(part));
  }
  std::vector<Bytes> parts;
  size_t hash;
};
using Kept = std::shared_ptr<const KeptQuestion>;

struct HashQuestion {
  using is_transparent = void;
  size_t operator()(const Kept& kept) const { return kept->hash; }
  size_t operator()(const Question& question) const { return question.hash(); }
};
struct SameQuestion {
  using is_transparent = void;
  static bool Same(const auto& a, const auto& b) {
    return std::ranges::equal(a, b, [](ByteView x, ByteView y) { return Equal(x, y); });
  }
  bool operator()(const Kept& a, const Kept& b) const { return Same(a->parts, b->parts); }
  bool operator()(const Question& a, const Kept& b) const { return Same(a.parts(), b->parts); }
};

// A bounded map that readers share without a lock: a writer copies it, adds and swaps it in. Only
// results that were good go in, and one is found only at times inside its window.
template <typename Trust>
class Memory {
 public:
  explicit Memory(size_t max) : max_(max), map_(std::make_shared<const Map>()) {}

  std::shared_ptr<const Trust> Find(const Question& question, UnixSeconds time) const {
    const std::shared_ptr<const Map> map = map_.load(std::memory_order_acquire);
    const auto found = map->find(question);
    if (found == map->end() || !found->second.trust->window.Holds(time)) return nullptr;
    return found->second.trust;
  }

  void Remember(const Question& question, std::shared_ptr<const Trust> trust, UnixSeconds time) {
    const std::scoped_lock lock(mutex_);
    auto map = std::make_shared<Map>(*map_.load(std::memory_order_acquire));
    if (map->size() >= max_) {
      std::erase_if(*map, [&](const auto& item) { return item.second.trust->window.until < time; });
    }
    while (!map->empty() && map->size() >= max_) {
      auto oldest = map->begin();
      for (auto it = map->begin(); it != map->end(); ++it) {
        if (it->second.order < oldest->second.order) oldest = it;
      }
      map->erase(oldest);
    }
    map->insert_or_assign(std::make_shared<const KeptQuestion>(question),
                          Entry{std::move(trust), next_++});
    map_.store(std::move(map), std::memory_order_release);
  }

  void Forget() {
    const std::scoped_lock lock(mutex_);
    map_.store(std::make_shared<const Map>(), std::memory_order_release);
  }

 private:
  struct Entry {
    std::shared_ptr<const Trust> trust;
    uint64_t order = 0;
  };
  using Map = std::unordered_map<Kept, Entry, HashQuestion, SameQuestion>;
  const size_t max_;
  std::mutex mutex_;
  uint64_t next_ = 0;
  std::atomic<std::shared_ptr<const Map>> map_;
};

class Remembering : public TrustSource {
 public:
  explicit Remembering(size_t max) : tdx_(max), snp_(max) {}

  std::shared_ptr<const TdxTrust> Tdx(ByteView pem, const TdxCollateral* collateral,
                                      const std::vector<TrustedRoot>& roots,
                                      UnixSeconds time) const override {
    if (collateral == nullptr) return TrustSource::Tdx(pem, collateral, roots, time);
    Question question;
    question.Add(pem);
    question.Add(collateral->tcb_info);
    question.Add(collateral->qe_identity);
    question.Add(collateral->pck_crl);
    question.Add(collateral->root_crl);
    question.Add(collateral->tcb_info_chain);
    question.Add(collateral->qe_identity_chain);
    question.Add(collateral->pck_crl_chain);
    question.Add(collateral->pck_chain);
    question.Finish(roots, false);
    if (auto known = tdx_.Find(question, time)) return known;
    auto fresh = TrustSource::Tdx(pem, collateral, roots, time);
    if (fresh->ok) tdx_.Remember(question, fresh, time);
    return fresh;
  }

  std::shared_ptr<const SnpTrust> Snp(const SnpCollateral& collateral, bool require_crl,
                                      const std::vector<TrustedRoot>& roots,
                                      UnixSeconds time) const override {
    Question question;
    question.Add(collateral.vek);
    question.Add(collateral.ask);
    question.Add(collateral.ark);
    question.Add(collateral.crl);
    question.Finish(roots, require_crl);
    if (auto known = snp_.Find(question, time)) return known;
    auto fresh = TrustSource::Snp(collateral, require_crl, roots, time);
    if (fresh->ok) snp_.Remember(question, fresh, time);
    return fresh;
  }

  void Forget() {
    tdx_.Forget();
    snp_.Forget();
  }

 private:
  mutable Memory<TdxTrust> tdx_;
  mutable Memory<SnpTrust> snp_;
};

}  // namespace

struct Verifier::Impl {
  explicit Impl(size_t max) : source(max) {}
  Remembering source;
};

Verifier::Verifier(size_t max_entries)
    : impl_(std::make_unique<Impl>(std::max<size_t>(max_entries, 1))) {}
Verifier::~Verifier() = default;

Verdict Verifier::Verify(const Evidence& evidence, const Collateral& collateral,
                         const Policy& policy, UnixSeconds time,
                         const ExpectedBinding& binding) const {
  return VerifyWith(impl_->source, evidence, collateral, policy, time, binding);
}

void Verifier::Forget() { impl_->source.Forget(); }

}  // namespace cce::attest
