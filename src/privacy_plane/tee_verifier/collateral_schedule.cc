#include "privacy_plane/tee_verifier/collateral_schedule.h"

#include <algorithm>

namespace cce::privacy_plane {

using attest::DocumentKey;
using attest::DocumentKind;
using collateral::Vendor;
using collateral::VendorOf;

namespace {

constexpr int64_t kSecond = 1000;
constexpr int64_t kFirstPause = 1 * kSecond;
constexpr int64_t kForgetAfter = 86400 * kSecond;

// A document that says who may no longer sign is taken before what it speaks of; a chain before
// what it signs.
int Rank(DocumentKind kind) {
  switch (kind) {
    case DocumentKind::kRootCrl:
    case DocumentKind::kSnpChain:
      return 0;
    case DocumentKind::kPckCrl:
    case DocumentKind::kSnpCrl:
      return 1;
    default:
      return 2;
  }
}

}  // namespace

int64_t CollateralSchedule::RefreshAt(const DocumentKey& key, const collateral::Kept& kept,
                                      int64_t now) {
  const int64_t ahead = (kept.facts.until - options_.refresh_ahead_seconds) * kSecond;
  if (key.kind == DocumentKind::kVek) return std::max(ahead, now + kFirstPause);
  const double share = 0.9 + 0.1 * random_();  // so that documents do not stay in step
  const int64_t taken = kept.taken_at * kSecond;
  const int64_t regular =
      taken + static_cast<int64_t>(static_cast<double>(options_.refresh_seconds * kSecond) * share);
  // A source that has nothing newer yet is not asked without a pause.
  const int64_t least = taken + options_.refresh_seconds * kSecond / 24;
  return std::max(least, std::min(regular, ahead));
}

int64_t CollateralSchedule::Pause(uint32_t failures, std::optional<int64_t> retry_after) {
  const int64_t cap = options_.max_backoff_seconds * kSecond;
  const uint32_t doublings = std::min<uint32_t>(failures > 0 ? failures - 1 : 0, 20);
  const int64_t whole = std::min(kFirstPause << doublings, cap);
  const auto pause = static_cast<int64_t>(static_cast<double>(whole) * (0.5 + 0.5 * random_()));
  if (!retry_after) return pause;
  return std::max(pause, std::min(*retry_after, options_.max_backoff_seconds) * kSecond);
}

void CollateralSchedule::Want(const DocumentKey& key, const std::optional<collateral::Kept>& kept,
                              const std::vector<Bytes>& issuers, int64_t now) {
  auto at = plans_.find(key);
  if (at == plans_.end()) {
    if (plans_.size() >= options_.max_documents) {
      plans_.erase(std::ranges::min_element(
          plans_, {}, [](const auto& item) { return item.second.wanted_at; }));
    }
    at = plans_.emplace(key, Plan{}).first;
    at->second.next = kept ? RefreshAt(key, *kept, now) : now;
  }
  Plan& plan = at->second;
  plan.wanted_at = now;
  if (!issuers.empty()) plan.issuers = issuers;
  if (!kept && plan.failures == 0) plan.next = std::min(plan.next, now);
}

void CollateralSchedule::Forget(int64_t now,
                                const std::function<bool(const DocumentKey&)>& in_force) {
  std::erase_if(plans_, [&](const auto& item) {
    return now - item.second.wanted_at > kForgetAfter && !in_force(item.first);
  });
}

std::vector<DocumentKey> CollateralSchedule::Due(Vendor vendor, int64_t now) const {
  std::vector<DocumentKey> out;
  if (source(vendor).not_before > now) return out;
  for (const auto& [key, plan] : plans_) {
    if (VendorOf(key.kind) == vendor && plan.next <= now) out.push_back(key);
  }
  std::ranges::sort(out, {}, [](const DocumentKey& key) { return Rank(key.kind); });
  return out;
}

std::optional<int64_t> CollateralSchedule::NextAt(Vendor vendor) const {
  std::optional<int64_t> next;
  for (const auto& [key, plan] : plans_) {
    if (VendorOf(key.kind) != vendor) continue;
    next = std::min(next.value_or(plan.next), plan.next);
  }
  if (!next) return next;
  return std::max(*next, source(vendor).not_before);
}

std::optional<int64_t> CollateralSchedule::MayBeAskedAt(const DocumentKey& key) const {
  const Plan* plan = Find(key);
  if (plan == nullptr) return std::nullopt;
  return std::max(plan->next, source(VendorOf(key.kind)).not_before);
}

void CollateralSchedule::Succeeded(const DocumentKey& key, const collateral::Kept& kept,
                                   int64_t now) {
  Source& source = sources_[static_cast<size_t>(VendorOf(key.kind))];
  source.failures = 0;
  source.last_error.reset();
  ++source.fetched;
  const auto at = plans_.find(key);
  if (at == plans_.end()) return;
  Plan& plan = at->second;
  ++plan.attempts;
  plan.failures = 0;
  plan.last_error.reset();
  plan.next = RefreshAt(key, kept, now);
}

void CollateralSchedule::Failed(const DocumentKey& key, const collateral::FetchFailure& failure,
                                int64_t now) {
  Source& source = sources_[static_cast<size_t>(VendorOf(key.kind))];
  ++source.failed;
  if (failure.source) {
    ++source.failures;
    source.last_error = failure.error;
    source.not_before = now + Pause(source.failures, failure.retry_after);
  }
  const auto at = plans_.find(key);
  if (at == plans_.end()) return;
  Plan& plan = at->second;
  ++plan.attempts;
  plan.last_error = failure.error;
  if (failure.source) {
    plan.next = now;  // as soon as the source may be asked again
    return;
  }
  ++plan.failures;
  plan.next = now + Pause(plan.failures, failure.retry_after);
}

const CollateralSchedule::Plan* CollateralSchedule::Find(const DocumentKey& key) const {
  const auto at = plans_.find(key);
  return at == plans_.end() ? nullptr : &at->second;
}

}  // namespace cce::privacy_plane
