#include "privacy_plane/tee_verifier/collateral_service.h"

#include <algorithm>

#include "base/log.h"
#include "collateral/bundles.h"

namespace cce::privacy_plane {

using attest::CollateralNeed;
using attest::DocumentKey;
using attest::DocumentKind;
using collateral::Kept;
using collateral::Vendor;
using collateral::VendorOf;

namespace {

constexpr int64_t kHousekeeping = 60'000;  // milliseconds between two looks at least
constexpr int64_t kWarnAgain = 3'600'000;
constexpr size_t kMaxWaiting = 8;  // further ones are refused at once: workers are for others, too
constexpr size_t kMaxSets = 64;

constexpr std::array kVendors = {Vendor::kIntel, Vendor::kAmd};

std::string NameOf(const CollateralNeed& need, bool with_vek) {
  std::string out;
  for (const DocumentKey& key : attest::KeysOf(need, with_vek)) out += ToString(key) + "\n";
  return out;
}

// The CRL of Intel's root names no issuer chain of its own: the root of the quote serves.
std::vector<Bytes> IssuersKnown(const CollateralNeed& need, const DocumentKey& key) {
  if (key.kind != DocumentKind::kRootCrl || need.root.empty()) return {};
  return {need.root};
}

std::optional<Kept> InForce(std::optional<Kept> kept, UnixSeconds now) {
  if (kept && !kept->InForce(now)) kept.reset();
  return kept;
}

}  // namespace

CollateralService::CollateralService(CollateralOptions options,
                                     std::vector<attest::TrustedRoot> roots, const Clock& clock,
                                     std::function<double()> random)
    : options_(std::move(options)),
      clock_(clock),
      store_(std::move(roots), options_.schedule.max_documents),
      schedule_(options_.schedule, std::move(random)) {
  for (const Vendor vendor : kVendors) {
    fetchers_[static_cast<size_t>(vendor)] =
        std::make_unique<collateral::Fetcher>(options_.addresses, [this] { return !Stopping(); });
  }
}

CollateralService::~CollateralService() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool CollateralService::Stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void CollateralService::Load() {
  const UnixSeconds now = clock_.Now();
  if (!options_.cache_file.empty()) {
    const auto refused = store_.Load(options_.cache_file, now);
    if (!refused && refused.error().code != "io.not_found") {
      LogError(LogLevel::kWarn, "collateral.cache_unreadable", refused.error());
    }
    for (const Error& error : refused.value_or(std::vector<Error>{})) {
      LogError(LogLevel::kWarn, "collateral.cache_refused", error);
    }
    const std::lock_guard lock(mutex_);
    saved_version_ = store_.version();
    for (const auto& [key, kept] : store_.All()) {
      if (kept.InForce(now)) schedule_.Want(key, kept, {}, clock_.NowMillis());
    }
  }
  ReadBundles(now);
}

void CollateralService::Start() {
  for (const Vendor vendor : kVendors) threads_.emplace_back([this, vendor] { Run(vendor); });
}

void CollateralService::Run(Vendor vendor) {
  for (;;) {
    const int64_t pause = Step(vendor);
    std::unique_lock lock(mutex_);
    bool& poked = poked_[static_cast<size_t>(vendor)];
    wake_.wait_for(lock, std::chrono::milliseconds(pause), [&] { return stopping_ || poked; });
    poked = false;
    if (stopping_) return;
  }
}

// -- Bundles

void CollateralService::ReadBundles(UnixSeconds now) {
  if (options_.bundle.empty()) return;
  const std::lock_guard reading(bundle_mutex_);
  const Result<std::string> stamp = collateral::StampOf(options_.bundle);
  const std::string seen = stamp ? *stamp : stamp.error().code;
  if (seen == bundle_seen_) return;
  bundle_seen_ = seen;
  std::string problem;
  const auto refuse = [&](const Error& error) {
    LogError(LogLevel::kWarn, "collateral.bundle_refused", error, {{"path", options_.bundle}});
    problem = error.message;
  };
  const auto bundles = collateral::ReadBundles(options_.bundle);
  if (!bundles) refuse(bundles.error());
  for (const collateral::BundleFile& file :
       bundles.value_or(std::vector<collateral::BundleFile>{})) {
    for (const attest::CollateralDocument& document : attest::DocumentsOf(file.collateral)) {
      const auto taken = store_.Take(document, now);
      if (!taken) refuse(taken.error());
    }
    Log(LogLevel::kInfo, "collateral.bundle_read", {{"path", file.path}});
  }
  Save();
  const std::lock_guard lock(mutex_);
  bundle_problem_ = problem;
}

void CollateralService::Save() {
  if (options_.cache_file.empty()) return;
  const std::lock_guard lock(save_mutex_);
  const uint64_t version = store_.version();
  if (version == saved_version_) return;
  if (const Result<> saved = store_.Save(options_.cache_file); !saved) {
    return LogError(LogLevel::kWarn, "collateral.not_saved", saved.error());
  }
  saved_version_ = version;
}

// -- Fetching

std::vector<Bytes> CollateralService::IssuersOf(const DocumentKey& key,
                                                const std::vector<Bytes>& known) const {
  const auto chain_of = [this](DocumentKind kind, const std::string& subject) {
    const std::optional<Kept> kept = store_.Find({kind, subject});
    return kept ? kept->document->chain : std::vector<Bytes>{};
  };
  switch (key.kind) {
    case DocumentKind::kRootCrl:
      return known.empty() ? chain_of(DocumentKind::kRootCrl, key.subject) : known;
    case DocumentKind::kSnpCrl:
    case DocumentKind::kVek: {
      const std::string product = key.subject.substr(0, key.subject.find('/'));
      std::vector<Bytes> chain = chain_of(DocumentKind::kSnpChain, product + "/vcek");
      return chain.empty() ? chain_of(DocumentKind::kSnpChain, product + "/vlek") : chain;
    }
    default:
      return {};
  }
}

std::optional<collateral::FetchFailure> CollateralService::FetchAndTake(
    collateral::Fetcher& fetcher, const DocumentKey& key, const std::vector<Bytes>& issuers) {
  const bool comes_alone = key.kind == DocumentKind::kRootCrl ||
                           key.kind == DocumentKind::kSnpCrl || key.kind == DocumentKind::kVek;
  if (comes_alone && issuers.empty()) {
    return collateral::FetchFailure{
        MakeError("collateral.unavailable", "the chain that it is verified with is not there"),
        false, std::nullopt};
  }
  auto fetched = fetcher.Fetch(key, issuers, clock_.Now());
  if (!fetched) return std::move(fetched.error());
  const auto taken = store_.Take(std::move(*fetched), clock_.Now(), &key);
  if (!taken) return collateral::FetchFailure{taken.error(), false, std::nullopt};
  return std::nullopt;
}

// Whether the source may be asked for more.
bool CollateralService::FetchOne(collateral::Fetcher& fetcher, const DocumentKey& key) {
  std::vector<Bytes> known;
  {
    const std::lock_guard lock(mutex_);
    if (const auto* plan = schedule_.Find(key)) known = plan->issuers;
  }
  const std::optional<collateral::FetchFailure> failure =
      FetchAndTake(fetcher, key, IssuersOf(key, known));
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  const int64_t now_ms = clock_.NowMillis();
  if (failure) {
    schedule_.Failed(key, *failure, now_ms);
    const int64_t at = schedule_.MayBeAskedAt(key).value_or(now_ms);
    LogError(LogLevel::kWarn, "collateral.fetch_failed", failure->error,
             {{"document", ToString(key)},
              {"next_attempt_in_ms", std::to_string(std::max<int64_t>(at - now_ms, 0))}});
  } else if (const std::optional<Kept> kept = store_.Find(key)) {
    schedule_.Succeeded(key, *kept, now_ms);
    Log(LogLevel::kInfo, "collateral.fetched",
        {{"document", ToString(key)}, {"until", FormatTime(kept->facts.until)}});
  }
  changed_.notify_all();
  return !failure || !failure->source;
}

int64_t CollateralService::Step(Vendor vendor) {
  const size_t index = static_cast<size_t>(vendor);
  const std::lock_guard step(step_mutex_[index]);
  if (vendor == Vendor::kIntel) ReadBundles(clock_.Now());
  if (options_.addresses.Serves(vendor)) {
    std::vector<DocumentKey> due;
    {
      const std::lock_guard lock(mutex_);
      due = schedule_.Due(vendor, clock_.NowMillis());
    }
    for (const DocumentKey& key : due) {
      if (!FetchOne(*fetchers_[index], key)) break;
    }
    if (!due.empty()) Save();
  }
  const std::lock_guard lock(mutex_);
  const int64_t now_ms = clock_.NowMillis();
  if (vendor == Vendor::kIntel) WarnLocked(now_ms);
  if (!options_.addresses.Serves(vendor)) return kHousekeeping;
  const int64_t next = schedule_.NextAt(vendor).value_or(now_ms + kHousekeeping);
  return std::clamp<int64_t>(next - now_ms, 0, kHousekeeping);
}

// -- Serving

void CollateralService::PlanLocked(const CollateralNeed& need, bool with_vek, int64_t now_ms,
                                   UnixSeconds now) {
  for (const DocumentKey& key : attest::KeysOf(need, with_vek)) {
    schedule_.Want(key, InForce(store_.Find(key), now), IssuersKnown(need, key), now_ms);
    const Vendor vendor = VendorOf(key.kind);
    const bool due = options_.addresses.Serves(vendor) && schedule_.MayBeAskedAt(key) <= now_ms;
    poked_[static_cast<size_t>(vendor)] |= due;
  }
}

std::map<DocumentKey, uint64_t> CollateralService::AttemptsLocked(
    const std::vector<DocumentKey>& keys) const {
  std::map<DocumentKey, uint64_t> out;
  for (const DocumentKey& key : keys) {
    const auto* plan = schedule_.Find(key);
    out[key] = plan == nullptr ? 0 : plan->attempts;
  }
  return out;
}

// Whether waiting can help: each missing document has a source that may be asked in time, and has
// not been asked in vain since we came.
bool CollateralService::MayComeLocked(const std::vector<DocumentKey>& missing,
                                      const std::map<DocumentKey, uint64_t>& attempts) const {
  const int64_t latest = clock_.NowMillis() + options_.max_wait.count();
  return std::ranges::all_of(missing, [&](const DocumentKey& key) {
    const auto* plan = schedule_.Find(key);
    if (plan == nullptr || !options_.addresses.Serves(VendorOf(key.kind))) return false;
    const auto before = attempts.find(key);
    const bool failed_since = before != attempts.end() && plan->attempts > before->second;
    return !failed_since && schedule_.MayBeAskedAt(key).value_or(INT64_MAX) <= latest;
  });
}

Error CollateralService::UnavailableLocked(const std::vector<DocumentKey>& missing,
                                           UnixSeconds now) const {
  std::string found;
  for (const DocumentKey& key : missing) {
    const std::optional<Kept> kept = store_.Find(key);
    found += (found.empty() ? "" : "; ") + ToString(key) + ": " +
             (kept ? "ended " + FormatTime(kept->facts.until) : "none");
    const auto* plan = schedule_.Find(key);
    const Vendor vendor = VendorOf(key.kind);
    if (!options_.addresses.Serves(vendor)) {
      found += ", and no service is configured";
    } else if (plan != nullptr && plan->last_error) {
      found += ", and " + plan->last_error->message;
    } else if (schedule_.source(vendor).last_error) {
      found += ", and " + schedule_.source(vendor).last_error->message;
    } else {
      found += ", and none came in time";
    }
  }
  if (!bundle_problem_.empty()) found += "; the bundle: " + bundle_problem_;
  return MakeError("collateral.unavailable", "collateral for the evidence is not there")
      .Expected("documents in force at " + FormatTime(now))
      .Found(found);
}

std::shared_ptr<const CollateralService::Set> CollateralService::SetLocked(
    const std::string& name, attest::Collateral collateral) {
  const uint64_t version = store_.version();
  const auto at = sets_.find(name);
  if (at != sets_.end() && at->second.first == version) return at->second.second;
  if (sets_.size() >= kMaxSets) sets_.clear();
  std::string text = attest::ToBundleJson(collateral);
  auto set = std::make_shared<const Set>(Set{std::move(collateral), std::move(text)});
  sets_[name] = {version, set};
  return set;
}

Result<std::shared_ptr<const CollateralService::Set>> CollateralService::For(
    const CollateralNeed& need, bool with_vek, UnixSeconds now) {
  ReadBundles(now);
  const auto deadline = std::chrono::steady_clock::now() + options_.max_wait;
  std::unique_lock lock(mutex_);
  PlanLocked(need, with_vek, clock_.NowMillis(), now);
  wake_.notify_all();
  std::optional<std::map<DocumentKey, uint64_t>> attempts;
  for (;;) {
    collateral::Composed composed = store_.Compose(need, with_vek, now);
    if (composed.missing.empty()) {
      return SetLocked(NameOf(need, with_vek), std::move(composed.collateral));
    }
    if (!attempts) attempts = AttemptsLocked(composed.missing);
    const bool late = std::chrono::steady_clock::now() >= deadline;
    if (late || stopping_ || waiting_ >= kMaxWaiting ||
        !MayComeLocked(composed.missing, *attempts)) {
      return Fail(UnavailableLocked(composed.missing, now));
    }
    ++waiting_;
    changed_.wait_until(lock, deadline);
    --waiting_;
  }
}

void CollateralService::Expect(const CollateralNeed& need, bool with_vek) {
  const std::lock_guard lock(mutex_);
  own_ = {need, with_vek};
  PlanLocked(need, with_vek, clock_.NowMillis(), clock_.Now());
  wake_.notify_all();
}

// -- Telling

void CollateralService::WarnLocked(int64_t now_ms) {
  const UnixSeconds now = now_ms / 1000;
  schedule_.Forget(
      now_ms, [&](const DocumentKey& key) { return InForce(store_.Find(key), now).has_value(); });
  for (const auto& [key, plan] : schedule_.plans()) {
    const std::optional<Kept> kept = store_.Find(key);
    if (!kept || kept->facts.until - now > options_.warn_seconds) {
      warned_at_.erase(key);
      continue;
    }
    int64_t& warned = warned_at_[key];
    if (warned != 0 && now_ms - warned < kWarnAgain) continue;
    warned = now_ms;
    Log(LogLevel::kWarn, kept->facts.until < now ? "collateral.ended" : "collateral.ends_soon",
        {{"document", ToString(key)}, {"until", FormatTime(kept->facts.until)}});
  }
  std::erase_if(warned_at_, [this](const auto& item) { return !schedule_.Find(item.first); });
}

CollateralService::Status CollateralService::Report() const {
  Status out;
  const std::lock_guard lock(mutex_);
  const UnixSeconds now = clock_.Now();
  out.documents = store_.All().size();
  for (const auto& [key, plan] : schedule_.plans()) {
    const std::optional<Kept> kept = store_.Find(key);
    if (!kept) continue;
    out.earliest_end = std::min(out.earliest_end.value_or(kept->facts.until), kept->facts.until);
    if (kept->facts.until - now <= options_.warn_seconds) {
      out.ending.push_back({ToString(key), kept->facts.until});
    }
  }
  if (own_) {
    out.own_in_force = std::ranges::all_of(
        attest::KeysOf(own_->first, own_->second),
        [&](const DocumentKey& key) { return InForce(store_.Find(key), now).has_value(); });
  }
  for (const Vendor vendor : kVendors) {
    const CollateralSchedule::Source& source = schedule_.source(vendor);
    SourceStatus& status = out.sources[static_cast<size_t>(vendor)];
    status.configured = options_.addresses.Serves(vendor);
    status.fetched = source.fetched;
    status.failed = source.failed;
    status.blocked_seconds = std::max<int64_t>(source.not_before / 1000 - now, 0);
    if (source.last_error) status.last_error = source.last_error->message;
  }
  return out;
}

}  // namespace cce::privacy_plane
