// Writes SNP attestation reports (AMD 56860, ATTESTATION_REPORT versions 2 to 5).
#pragma once

#include <span>

#include "protocol/simulated_chip.h"
#include "sim/report_source.h"
#include "sim/snp_chip.h"

namespace cce::sim {

// The members of a report that differ from report to report. All-zero ones (FAMILY_ID, IMAGE_ID,
// ID_KEY_DIGEST, AUTHOR_KEY_DIGEST) are left out.
struct SnpReport {
  uint32_t version = 3;
  uint64_t policy = 0;
  uint32_t vmpl = 0;
  uint32_t signature_algorithm = 1;  // ECDSA P-384 with SHA-384
  SnpVersions current;
  SnpVersions committed;
  SnpVersions reported;
  SnpVersions launch;
  uint64_t platform_info = 0;
  uint32_t flags = 0;     // bit 0 AUTHOR_KEY_EN, 1 MASK_CHIP_KEY, 2..4 SIGNING_KEY
  uint32_t reserved = 0;  // behind the flags
  ByteArray<64> report_data{};
  ByteArray<48> measurement{};
  ByteArray<32> host_data{};
  ByteArray<3> cpuid{};  // from version 3
  ByteArray<64> chip_id{};
  uint64_t launch_mitigation = 0;  // from version 5
  uint64_t current_mitigation = 0;
};

// What can be wrong with a report, on demand. Every row names one defect; all else stays honest.
struct SnpDefect {
  std::string_view name;
  std::string_view meaning;
  Vek vek = Vek::kCurrent;
  void (*change)(SnpReport&) = nullptr;
  bool break_signature = false;
  bool no_signature = false;     // zeros
  bool no_certificates = false;  // an empty certificate table
};

// All defects; the first, with an empty name, is none.
std::span<const SnpDefect> AllSnpDefects();
// input.malformed with the known names.
Result<const SnpDefect*> FindSnpDefect(std::string_view name);

// A machine's reports. `chip` must outlive it. Thread-safe.
class SnpReportSource : public ReportSource {
 public:
  SnpReportSource(const SnpChip& chip, const protocol::ChipMeasurement& measurement,
                  const SnpDefect& defect);
  std::string_view provider() const override { return "sev_guest"; }
  // As the kernel's driver: exactly 64 bytes, which become REPORT_DATA.
  Result<Bytes> NewReport(ByteView inblob) const override;
  // The certificate table that the host has loaded.
  bool has_auxiliary() const override { return true; }
  Bytes Auxiliary() const override;

 private:
  const SnpChip& chip_;
  const protocol::ChipMeasurement measurement_;
  const SnpDefect& defect_;
  const Bytes report_id_;  // 32 bytes, the guest's own
};

}  // namespace cce::sim
