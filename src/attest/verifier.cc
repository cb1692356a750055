// The remembering verifier: results of the collateral stage, keyed by everything that went into
// them.
#include <atomic>
#include <functional>
#include <mutex>
#include <unordered_map>

#include "attest/trust_source.h"

namespace cce::attest {
namespace {

// Everything that the collateral stage reads, in one buffer with lengths before the parts: equal
// keys are equal inputs, byte for byte, so that nothing rests on a digest's strength.
class KeyBuilder {
 public:
  void Add(ByteView part) {
    AppendU32(key_, static_cast<uint32_t>(part.size()));
    Append(key_, part);
  }
  void Add(const std::vector<Bytes>& parts) {
    AppendU32(key_, static_cast<uint32_t>(parts.size()));
    for (const Bytes& part : parts) Add(part);
  }
  void Add(const SignedDocument& document) {
    Add(AsBytes(document.body));
    Add(document.signature);
  }
  void Add(const std::vector<TrustedRoot>& roots) {
    AppendU32(key_, static_cast<uint32_t>(roots.size()));
    for (const TrustedRoot& root : roots) {
      Add(AsBytes(root.name));
      Add(root.sha256);
      key_.push_back(root.vendor);
      key_.push_back(root.tee ? static_cast<uint8_t>(*root.tee) : 0xff);
      key_.push_back(static_cast<uint8_t>(root.product));
    }
  }
  void Add(bool flag) { key_.push_back(flag); }
  explicit KeyBuilder(size_t reserve) { key_.reserve(reserve); }
  Bytes Take() && { return std::move(key_); }

 private:
  Bytes key_;
};

struct HashBytes {
  size_t operator()(const Bytes& key) const { return std::hash<std::string_view>()(AsText(key)); }
};

// A bounded map that readers share without a lock: a writer copies it, adds and swaps it in. Only
// results that were good go in, and one is found only at times inside its window.
template <typename Trust>
class Memory {
 public:
  explicit Memory(size_t max) : max_(max), map_(std::make_shared<const Map>()) {}

  std::shared_ptr<const Trust> Find(const Bytes& key, UnixSeconds time) const {
    const std::shared_ptr<const Map> map = map_.load(std::memory_order_acquire);
    const auto found = map->find(key);
    if (found == map->end() || !found->second.trust->window.Holds(time)) return nullptr;
    return found->second.trust;
  }

  void Remember(Bytes key, std::shared_ptr<const Trust> trust, UnixSeconds time) {
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
    (*map)[std::move(key)] = {std::move(trust), next_++};
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
  using Map = std::unordered_map<Bytes, Entry, HashBytes>;
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
    KeyBuilder builder(64 << 10);
    builder.Add(pem);
    builder.Add(collateral->tcb_info);
    builder.Add(collateral->qe_identity);
    builder.Add(collateral->pck_crl);
    builder.Add(collateral->root_crl);
    builder.Add(collateral->tcb_info_chain);
    builder.Add(collateral->qe_identity_chain);
    builder.Add(collateral->pck_crl_chain);
    builder.Add(collateral->pck_chain);
    builder.Add(roots);
    Bytes key = std::move(builder).Take();
    if (auto known = tdx_.Find(key, time)) return known;
    auto fresh = TrustSource::Tdx(pem, collateral, roots, time);
    if (fresh->ok) {
      key.shrink_to_fit();
      tdx_.Remember(std::move(key), fresh, time);
    }
    return fresh;
  }

  std::shared_ptr<const SnpTrust> Snp(const SnpCollateral& collateral, bool require_crl,
                                      const std::vector<TrustedRoot>& roots,
                                      UnixSeconds time) const override {
    KeyBuilder builder(8 << 10);
    builder.Add(collateral.vek);
    builder.Add(collateral.ask);
    builder.Add(collateral.ark);
    builder.Add(collateral.crl);
    builder.Add(require_crl);
    builder.Add(roots);
    Bytes key = std::move(builder).Take();
    if (auto known = snp_.Find(key, time)) return known;
    auto fresh = TrustSource::Snp(collateral, require_crl, roots, time);
    if (fresh->ok) snp_.Remember(std::move(key), fresh, time);
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
