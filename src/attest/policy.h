// What a verifier asks of evidence beyond its cryptography. A typed document (TOML or JSON; unknown
// key = error, docs/attestation.md has an annotated example); the dataset owner's policy and an
// operator's use the same one. Every default is the strict one: vendor roots only, UpToDate only,
// no debug, SEPT_VE_DISABLE, no service TD, CRLs required, VMPL 0. Measurements must be stated;
// accepting any is an explicit word (`any_measurement`).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attest/types.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"

namespace cce::attest {

enum class TcbStatus {
  kUpToDate,
  kSwHardeningNeeded,
  kConfigurationNeeded,
  kConfigurationAndSwHardeningNeeded,
  kOutOfDate,
  kOutOfDateConfigurationNeeded,
  kTdRelaunchAdvised,
  kTdRelaunchAdvisedConfigurationNeeded,
  kRevoked,  // never acceptable
};
std::string_view StatusName(TcbStatus status);  // Intel's spelling
std::optional<TcbStatus> StatusFromName(std::string_view name);

// A root of trust: SHA-256 of the certificate's DER or of its SubjectPublicKeyInfo.
struct TrustedRoot {
  std::string
      name;  // "intel", "amd-milan", "amd-genoa", "amd-turin", or a name of the document's own
  std::optional<Tee> tee;  // absent: either
  ByteArray<32> sha256{};
  bool vendor = false;  // one of the pinned roots; any other makes the verdict `development`
  SnpProduct product =
      SnpProduct::kUnknown;  // vendor ARKs: the only product that they may vouch for
};
// The pinned vendor roots.
const std::vector<TrustedRoot>& VendorRoots();
// A root of one's own (simulated hardware, tests) from its certificate's DER.
TrustedRoot RootFromDer(std::string name, Tee tee, ByteView der);

struct Expiring {  // an exception that ends by itself
  std::string value;
  std::optional<UnixSeconds> not_after;
  std::string note;
};

// One known guest. Registers that are absent are not compared.
struct Measurement {
  std::string name;
  Tee tee = Tee::kTdx;
  std::optional<ByteArray<48>> mrtd;
  std::array<std::optional<ByteArray<48>>, 4> rtmr;
  std::optional<ByteArray<48>> mrseam;
  std::optional<ByteArray<48>> mrconfigid;
  std::optional<ByteArray<48>> mrowner;
  std::optional<ByteArray<48>> mrownerconfig;
  std::optional<ByteArray<48>> launch_digest;  // SNP MEASUREMENT
  std::optional<ByteArray<32>> host_data;
  std::optional<ByteArray<48>> id_key_digest;
  std::optional<ByteArray<48>> author_key_digest;
  std::optional<ByteArray<16>> family_id;
  std::optional<ByteArray<16>> image_id;
  std::string note;
  std::string added_by;
  std::optional<UnixSeconds> not_after;
};

struct TdxPolicy {
  uint64_t attributes_required = uint64_t{1} << 28;  // SEPT_VE_DISABLE
  // Bits that may be set: those above and PKS, KL, PERFMON. Bits 0..7 (debug group) are never
  // allowed by this mask alone: `allow_debug` must say so, too.
  uint64_t attributes_allowed =
      (uint64_t{1} << 28) | (uint64_t{1} << 30) | (uint64_t{1} << 31) | (uint64_t{1} << 63);
  bool allow_debug = false;
  std::optional<uint64_t> xfam;            // exactly this; else the architecture's fixed bits
  std::vector<ByteArray<48>> mrseam;       // empty: any module that the TCB info knows
  std::vector<ByteArray<48>> service_tds;  // allowed MRSERVICETD; zero is always allowed
  bool any_service_td = false;
  uint64_t min_tcb_evaluation_number = 0;
  std::optional<UnixSeconds> min_tcb_date;
  std::vector<std::string> refused_fmspc;  // CPU models refused, 12 hex digits
  std::vector<std::string> refused_ppid;   // single platforms refused, 32 hex digits
};

// Least versions for one product, as data with the date from which they hold.
struct SnpFloor {
  SnpProduct product = SnpProduct::kUnknown;
  SnpTcb tcb;
  std::optional<UnixSeconds> from;
  std::string note;
};

struct SnpPolicy {
  bool allow_debug = false;
  bool allow_migration_agent = false;
  bool allow_smt = true;
  bool require_single_socket = false;
  bool allow_cxl = false;
  bool require_aes256_xts = false;
  bool require_rapl_disabled = false;
  bool require_ciphertext_hiding = false;
  bool require_page_swap_disabled = false;
  uint8_t min_abi_major = 0;
  uint8_t min_abi_minor = 0;
  uint32_t min_guest_svn = 0;
  std::vector<uint32_t> vmpls = {0};
  bool allow_vlek = true;
  bool allow_masked_chip_id = false;
  bool require_crl = true;
  uint64_t platform_info_required = 0;
  uint64_t platform_info_refused = 0;
  uint64_t mitigation_required =
      0;  // bits of both launch and current vector; reports below version 5 fail
  std::vector<SnpFloor> floors;  // on reported, committed and launch TCB
  std::vector<SnpProduct> refused_products;
  std::vector<std::string> refused_chips;  // chip ids, 128 hex digits
};

struct Policy {
  std::string name = "strict default";
  std::vector<Tee> tees = {Tee::kTdx, Tee::kSnp};
  std::vector<TrustedRoot> roots;
  bool any_measurement = false;
  std::vector<Measurement> measurements;
  std::vector<Expiring> tcb_statuses = {{"UpToDate", std::nullopt, ""}};
  bool any_advisory = true;  // else every advisory id must stand in `advisories`
  std::vector<Expiring> advisories;
  TdxPolicy tdx;
  SnpPolicy snp;
};

// Vendor roots and every default above; `any_measurement` is set, since none is known.
Policy StrictPolicy();

// Errors: config.invalid (TOML), input.* (JSON), evidence.policy where members contradict each
// other.
Result<Policy> ReadPolicy(const Document& document);
Result<Policy> ReadPolicy(const json::object& object, std::string name);
json::object ToJsonObject(const Policy& policy);
// One whitelist entry in the same form (for whitelist edits).
Result<Measurement> ReadMeasurement(const json::object& object, std::string name);
json::object ToJsonObject(const Measurement& measurement);
// The entry that evidence itself would match, register for register; empty MRCONFIGID, HOST_DATA
// and RTMR3 stay out.
Measurement MeasurementOf(const Evidence& evidence, std::string name);

}  // namespace cce::attest
