#include "privacy_plane/config.h"

#include "crypto/hash.h"

namespace cce::privacy_plane {
namespace {

uint16_t Port(Fields& f) { return static_cast<uint16_t>(f.Uint("port", {.max = 65535})); }

void ReadServing(Fields& f, Config& c) {
  Fields listen = f.Object("listen");
  c.listen_address = listen.String("address", {.min = 1, .max = 64, .fallback = "127.0.0.1"});
  c.listen_port = Port(listen);
  c.public_domain = listen.String("public_domain", {.min = 1, .max = 255});
  c.public_url = listen.String("public_url", {.min = 1, .max = 1024});
  Fields monitor = f.Object("monitor");
  c.monitor_address = monitor.String("address", {.min = 1, .max = 64, .fallback = "127.0.0.1"});
  c.monitor_port = Port(monitor);
}

void ReadTrust(Fields& f, Config& c) {
  Fields root = f.Object("root_key");
  c.root_key_source = root.Choice("source", {"file"});
  c.root_key_path = root.String("path", {.min = 1});
  Fields attestation = f.Object("attestation");
  c.tsm_path = attestation.String("tsm_path", {.min = 1, .fallback = "/sys/kernel/config/tsm"});
  if (const json::value* policy = attestation.Raw("policy")) {
    if (policy->is_object()) {
      c.attestation_policy = policy->get_object();
    } else {
      attestation.Reject("policy", "must be a table");
    }
  }
}

void CheckUrl(Fields& f, std::string_view key, const std::string& url) {
  if (url.empty()) return;
  if (const Result<> good = collateral::CheckAddress(url); !good) {
    f.Reject(key, good.error().message);
  }
}

void ReadCollateral(Fields& f, Config& c) {
  Fields table = f.Object("collateral", /*optional=*/true);
  CollateralOptions& o = c.collateral;
  const Fields::StringRule text{.max = 1024, .fallback = ""};
  o.bundle = table.String("bundle", text);
  // With bundles alone an engine asks nobody.
  const std::string pcs(o.bundle.empty() ? collateral::kIntelPcs : "");
  const std::string kds(o.bundle.empty() ? collateral::kAmdKds : "");
  o.addresses.pcs_url = table.String("pcs_url", {.max = 1024, .fallback = pcs});
  o.addresses.root_crl_url = table.String("root_crl_url", text);
  o.addresses.kds_url = table.String("kds_url", {.max = 1024, .fallback = kds});
  o.addresses.tcb_update = table.Choice("tcb_update", {"standard", "early"}, "standard");
  CheckUrl(table, "pcs_url", o.addresses.pcs_url);
  CheckUrl(table, "root_crl_url", o.addresses.root_crl_url);
  CheckUrl(table, "kds_url", o.addresses.kds_url);
  const auto number = [&table](std::string_view key, uint64_t min, uint64_t max,
                               uint64_t fallback) {
    return static_cast<int64_t>(table.Uint(key, {.min = min, .max = max, .fallback = fallback}));
  };
  constexpr uint64_t kDay = 86400;
  o.schedule.refresh_seconds = number("refresh_seconds", 60, 30 * kDay, kDay);
  o.schedule.refresh_ahead_seconds = number("refresh_ahead_seconds", 0, 30 * kDay, 7 * kDay);
  o.schedule.max_backoff_seconds = number("max_backoff_seconds", 1, kDay, 3600);
  o.schedule.max_documents = static_cast<size_t>(number("max_documents", 16, 4096, 256));
  o.warn_seconds = number("warn_seconds", 0, 30 * kDay, 3 * kDay);
  o.addresses.timeout = std::chrono::milliseconds(number("timeout_millis", 100, 60000, 10000));
  o.max_wait = std::chrono::milliseconds(number("max_wait_millis", 0, 30000, 5000));
  if (o.bundle.empty() && o.addresses.pcs_url.empty() && o.addresses.kds_url.empty()) {
    table.Reject("pcs_url", "neither a service nor a bundle is named");
  }
}

void ReadChain(Fields& f, Config& c) {
  Fields chain = f.Object("chain");
  c.chain_id = chain.Uint("id", {.min = 1});
  c.chain_endpoints = chain.Strings("endpoints", {.min = 1, .max = 16});
  c.finality = chain.String("finality", {.min = 1, .max = 32, .fallback = "finalized"});
  c.anchor_contract = chain.String("anchor_contract", {.max = 42, .fallback = ""});
  c.max_unanchored_entries = chain.Uint("max_unanchored_entries", {.min = 1, .fallback = 10000});
  c.max_unanchored_seconds = chain.Uint("max_unanchored_seconds", {.min = 1, .fallback = 3600});
  c.max_clock_distance = static_cast<int64_t>(
      chain.Uint("max_clock_distance_seconds", {.min = 1, .max = 1200, .fallback = 1200}));
}

void CheckJuicefs(Fields& f, const JuicefsConfig& j) {
  const bool dataset = j.metadata.find("{dataset}") != std::string::npos;
  const bool number = j.metadata.find("{number}") != std::string::npos;
  if (dataset == number) {
    f.Reject("metadata", "must hold {dataset} or {number}: each dataset has a volume of its own");
  }
  if (j.storage == "file" && j.endpoint.front() != '/') f.Reject("endpoint", "must be a folder");
  if (j.storage == "s3" && !j.endpoint.starts_with("http://") &&
      !j.endpoint.starts_with("https://")) {
    f.Reject("endpoint", "must be a URL: http://HOST:PORT");
  }
  for (const char c : j.bucket_prefix) {
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') {
      f.Reject("bucket_prefix", "lower-case letters, digits and '-' only");
    }
  }
}

JuicefsConfig ReadJuicefs(Fields f) {
  JuicefsConfig j;
  j.program = f.String("program", {.min = 1});
  j.metadata = f.String("metadata", {.min = 1, .max = 1024});
  j.metadata_password_file = f.String("metadata_password_file", {.fallback = ""});
  j.storage = f.Choice("storage", {"s3", "file"}, "s3");
  j.endpoint = f.String("endpoint", {.min = 1, .max = 1024});
  j.bucket_prefix = f.String("bucket_prefix", {.max = 20, .fallback = "cce-"});
  j.region = f.String("region", {.min = 1, .max = 64, .fallback = "us-east-1"});
  const bool s3 = j.storage == "s3";
  if (s3) j.access_key = f.String("access_key", {.min = 1, .max = 128});
  if (s3) j.secret_key_file = f.String("secret_key_file", {.min = 1});
  j.trash_days = static_cast<uint32_t>(f.Uint("trash_days", {.min = 1, .max = 365, .fallback = 8}));
  j.call_seconds =
      static_cast<uint32_t>(f.Uint("call_seconds", {.min = 1, .max = 600, .fallback = 60}));
  j.probe_seconds =
      static_cast<uint32_t>(f.Uint("probe_seconds", {.min = 1, .max = 600, .fallback = 10}));
  if (s3 && f.Has("readers")) {
    Fields readers = f.Object("readers");
    readers.Choice("kind", {"versitygw"});
    j.admin_access_key = readers.String("access_key", {.min = 1, .max = 128});
    j.admin_secret_key_file = readers.String("secret_key_file", {.min = 1});
  }
  CheckJuicefs(f, j);
  return j;
}

void ReadStorage(Fields& f, Config& c) {
  c.state_folder = f.Object("state").String("folder", {.min = 1});
  c.collateral.cache_file = c.state_folder + "/collateral.json";
  Fields store = f.Object("store");
  c.store_kind = store.Choice("kind", {"directory", "juicefs"}, "directory");
  if (c.store_kind == "juicefs") c.juicefs = ReadJuicefs(store.Object("juicefs"));
  c.store_folder = store.String("folder", {.min = 1});
  c.quota = {.bytes = store.Uint("dataset_quota_bytes", {.fallback = uint64_t{1} << 40}),
             .files = store.Uint("dataset_quota_files", {.fallback = 10'000'000}),
             .snapshots = store.Uint("dataset_quota_snapshots", {.fallback = 100})};
  for (Fields& item : store.Objects("quotas", {.max = 100'000, .optional = true})) {
    const auto dataset = protocol::AddressFromHex(item.String("dataset", {.min = 42, .max = 42}));
    if (!dataset) {
      item.Reject("dataset", "must be 0x and 40 lower-case hex digits");
      continue;
    }
    c.quotas[*dataset] = {.bytes = item.Uint("bytes", {.fallback = c.quota.bytes}),
                          .files = item.Uint("files", {.fallback = c.quota.files}),
                          .snapshots = item.Uint("snapshots", {.fallback = c.quota.snapshots})};
  }
}

void ReadDatasets(Fields& f, Config& c) {
  constexpr uint64_t kMaxRate = uint64_t{1} << 20;
  Fields datasets = f.Object("datasets", /*optional=*/true);
  const auto rate = [&](std::string_view key, uint64_t fallback) {
    return datasets.Uint(key, {.min = 1, .max = kMaxRate, .fallback = fallback}) << 20;
  };
  c.verify_rate = rate("verify_mib_per_second", 200);
  c.rotate_rate = rate("rotate_mib_per_second", 100);
  const auto seconds = [&](std::string_view key, uint64_t fallback) {
    return static_cast<int64_t>(
        datasets.Uint(key, {.min = 1, .max = uint64_t{366} * 86400, .fallback = fallback}));
  };
  c.draft_seconds = seconds("draft_seconds", uint64_t{7} * 86400);
  c.collect_seconds = seconds("collect_seconds", 3600);
}

void ReadJobs(Fields& f, Config& c) {
  const auto number = [](Fields& fields, std::string_view key, uint64_t min, uint64_t max,
                         uint64_t fallback) {
    return static_cast<uint32_t>(fields.Uint(key, {.min = min, .max = max, .fallback = fallback}));
  };
  Fields launcher = f.Object("launcher");
  c.launcher_url = launcher.String("url", {.min = 1, .max = 1024});
  c.launcher_key = launcher.String("key", {.min = 64, .max = 64});
  c.provider = launcher.Choice("provider", {"process"}, "process");
  Fields jobs = f.Object("jobs", /*optional=*/true);
  c.credential_seconds = number(jobs, "credential_seconds", 1, 3600, 300);
  c.challenge_seconds = number(jobs, "challenge_seconds", 1, 60, 60);
  c.max_jobs_per_wallet_and_dataset = number(jobs, "max_per_wallet_and_dataset", 1, 100000, 32);
  c.max_running = number(jobs, "max_running", 1, 100000, 64);
  c.lease_seconds = number(jobs, "lease_seconds", 1, 3600, 30);
  c.machine_memory_mib = number(jobs, "machine_memory_mib", 0, 1 << 20, 1024);
}

void ReadGate(Fields& f, Config& c) {
  Fields gate = f.Object("gate");
  c.decoder_path = gate.String("decoder", {.min = 1});
  c.tick_millis = gate.Uint("tick_millis", {.min = 1, .max = 60000, .fallback = 1000});
  c.max_output_bytes = gate.Uint("max_output_bytes", {.min = 1, .fallback = uint64_t{256} << 20});
}

}  // namespace

Quota Config::QuotaOf(const protocol::DatasetId& dataset) const {
  const auto it = quotas.find(dataset);
  return it == quotas.end() ? quota : it->second;
}

Result<Config> LoadConfig(const std::string& path) {
  ASSIGN_OR_RETURN(const Document document, LoadToml(path));
  Fields f(document);
  Config c;
  ReadServing(f, c);
  ReadTrust(f, c);
  ReadCollateral(f, c);
  ReadChain(f, c);
  ReadStorage(f, c);
  ReadDatasets(f, c);
  ReadJobs(f, c);
  ReadGate(f, c);
  TRY(f.Finish());
  c.digest = crypto::Sha256(AsBytes(ToJson(document.root)));
  return c;
}

}  // namespace cce::privacy_plane
