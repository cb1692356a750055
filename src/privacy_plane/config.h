// cced's configuration: one TOML file with a declared schema (deploy/examples/cced.toml shows every
// member with its meaning). The file belongs to an operator who is not trusted: it can narrow what
// owners' policies allow, never widen it, and its digest stands in the identity document.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "privacy_plane/tee_verifier/collateral_service.h"
#include "protocol/identifiers.h"

namespace cce::privacy_plane {

// What one dataset may take up, live snapshots and open drafts together.
struct Quota {
  uint64_t bytes = 0;  // of plaintext
  uint64_t files = 0;
  uint64_t snapshots = 0;
};

// [store.juicefs]: how volumes are made, written and given to readers.
struct JuicefsConfig {
  std::string program;
  std::string metadata;  // URL with {dataset} or {number}
  std::string metadata_password_file;
  std::string storage;   // "s3" or "file"
  std::string endpoint;  // URL of the S3 server, or a folder
  std::string bucket_prefix;
  std::string region;
  std::string access_key;
  std::string secret_key_file;
  uint32_t trash_days = 0;
  uint32_t call_seconds = 0;
  uint32_t probe_seconds = 0;
  // [store.juicefs.readers]: who makes jobs' keys; empty: no job reads a volume itself
  std::string admin_access_key;
  std::string admin_secret_key_file;
};

struct Config {
  // [listen]
  std::string listen_address;
  uint16_t listen_port = 0;
  std::string public_domain;  // EIP-4361 domain: host[:port] as clients call it
  std::string public_url;     // EIP-4361 URI

  // [monitor]: health, readiness and metrics, plain HTTP
  std::string monitor_address;
  uint16_t monitor_port = 0;

  // [state]
  std::string state_folder;  // journal.db, results/

  // [root_key]
  std::string root_key_source;
  std::string root_key_path;

  // [attestation]
  std::string tsm_path;             // configfs-tsm folder of this machine
  json::object attestation_policy;  // attest's policy document: narrows every owner's policy; may
                                    // be empty (strict default)

  // [collateral]
  CollateralOptions collateral;

  // [chain]
  uint64_t chain_id = 0;
  std::vector<std::string> chain_endpoints;
  std::string finality;
  std::string anchor_contract;  // address; empty: no freshness source (development)
  uint64_t max_unanchored_entries = 0;
  uint64_t max_unanchored_seconds = 0;
  int64_t max_clock_distance = 0;  // seconds between clock and final block

  // [store]
  std::string store_kind;  // "directory" or "juicefs"
  std::string store_folder;
  JuicefsConfig juicefs;
  Quota quota;                                  // of a dataset that has none of its own
  std::map<protocol::DatasetId, Quota> quotas;  // [[store.quotas]]
  Quota QuotaOf(const protocol::DatasetId& dataset) const;

  // [datasets]: work in the background
  uint64_t verify_rate = 0;   // bytes a second
  uint64_t rotate_rate = 0;   // bytes a second
  int64_t draft_seconds = 0;  // an upload that got nothing for so long is abandoned
  int64_t collect_seconds = 0;

  // [launcher]
  std::string launcher_url;
  std::string launcher_key;  // hex SHA-256 of its TLS key's SPKI
  std::string provider;

  // [jobs]
  int64_t credential_seconds = 0;
  int64_t challenge_seconds = 0;
  uint32_t max_jobs_per_wallet_and_dataset = 0;
  uint32_t max_running = 0;
  uint32_t lease_seconds = 0;
  uint32_t machine_memory_mib = 0;  // besides the container's own
  std::string decoder_path;
  uint64_t tick_millis = 0;
  uint64_t max_output_bytes = 0;

  protocol::Digest32 digest{};  // SHA-256 of the effective configuration
};

// Errors: config.invalid with line and nearest known key; io.*.
Result<Config> LoadConfig(const std::string& path);

}  // namespace cce::privacy_plane
