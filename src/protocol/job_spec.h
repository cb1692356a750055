// The job spec: what a consumer wants run, on what, and to which key the result goes. The
// consumer's EIP-4361 message names SHA-256 of these bytes; the credential, and through it
// REPORTDATA, name the same.
#pragma once

#include <string>
#include <vector>

#include "crypto/hash.h"
#include "protocol/identifiers.h"

namespace cce::protocol {

struct JobLimits {
  uint32_t memory_mib = 1024;
  uint32_t cpu_millis = 1000;  // thousandths of a core
  uint32_t pids = 256;
  uint32_t disk_mib = 512;  // /output and /tmp together
  uint32_t seconds = 600;
};

struct JobDataset {
  DatasetId dataset;
  SnapshotId snapshot;
  std::vector<std::string> files;  // declared paths; empty: the whole snapshot
};

struct JobSpec {
  Wallet wallet;
  uint64_t chain_id = 0;
  std::vector<JobDataset> datasets;  // 1 to 16, each dataset once
  std::string image_repository;      // "demo/survival"
  std::string image_digest;          // "sha256:" and 64 hex digits
  std::vector<std::string> command;  // empty: the container image's own
  JobLimits limits;
  ByteArray<65> consumer_key;  // HPKE key that the REK is sealed to
  std::string source_digest;   // "sha256:..." of the algorithm's source bundle; may be empty
  std::string title;           // for people; may be empty
};

Bytes EncodeJobSpec(const JobSpec& spec);
// Errors: input.* with the member's name.
Result<JobSpec> DecodeJobSpec(ByteView bytes);
inline Digest32 JobSpecHash(ByteView bytes) { return crypto::Sha256(bytes); }
// "sha256:" and 64 lower-case hex digits.
bool IsImageDigest(std::string_view text);

json::object LimitsToJson(const JobLimits& limits);
JobLimits ReadLimits(Fields fields);

}  // namespace cce::protocol
