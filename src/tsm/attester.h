// Evidence from the machine's TEE by way of the kernel's configfs-tsm reports (Linux,
// Documentation/ABI/testing/configfs-tsm-report): one folder a report; write 64 bytes to `inblob`,
// read `outblob`, and `generation` tells whether anybody else wrote meanwhile.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace cce::tsm {

struct TsmEvidence {
  std::string provider;  // "tdx_guest", "sev_guest"
  Bytes quote;           // outblob, at most 64 KiB
  Bytes auxiliary;       // auxblob: SNP's certificate table; empty where the provider has none

  // The evidence as one string, as messages, journal and manifests carry it: the quote, and behind
  // an SNP report the certificates that came with it.
  Bytes Whole() const;
};

// Where the kernel puts it.
constexpr std::string_view kConfigfsTsm = "/sys/kernel/config/tsm";

class Attester {
 public:
  virtual ~Attester() = default;
  // Evidence over 64 bytes of REPORTDATA. Thread-safe. Errors: tsm.unavailable, tsm.failed.
  virtual Result<TsmEvidence> Attest(const ByteArray<64>& report_data) = 0;
};

// `path` is the tsm folder (kConfigfsTsm, or where configfs is mounted); each call makes a report
// folder of its own and removes it.
std::unique_ptr<Attester> NewConfigfsAttester(std::string path = std::string(kConfigfsTsm));

}  // namespace cce::tsm
