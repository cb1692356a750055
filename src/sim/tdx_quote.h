// Writes TDX quotes (Intel TDX DCAP Quoting Library API, appendix A.3 for version 4, A.4 for
// version 5).
#pragma once

#include "protocol/simulated_chip.h"
#include "sim/chip.h"
#include "sim/report_source.h"

namespace cce::sim {

// The members of a TD report that differ from quote to quote. All-zero ones (MRSIGNERSEAM,
// SEAMATTRIBUTES, MROWNER, MROWNERCONFIG) are left out.
struct TdReport {
  ByteArray<16> tee_tcb_svn{};
  uint64_t attributes = 0;  // TDATTRIBUTES
  uint64_t xfam = 0;
  protocol::ChipMeasurement measurement;
  ByteArray<64> report_data{};
  // TD 1.5 only:
  ByteArray<16> tee_tcb_svn2{};
  ByteArray<48> mr_service_td{};
};

struct QeReport {
  ByteArray<16> cpu_svn{};
  ByteArray<16> attributes{};
  ByteArray<32> mr_signer{};
  uint16_t isv_svn = 0;
};

// What can be wrong with a quote, on demand: the engine's negative tests. Every row names one
// defect; all else about the quote stays honest.
struct Defect {
  std::string_view name;
  std::string_view meaning;
  Pck pck = Pck::kCurrent;
  uint16_t quote_version = 4;  // 5: TD 1.5 body
  void (*change_report)(TdReport&) = nullptr;
  void (*change_qe)(QeReport&) = nullptr;
  bool break_quote_signature = false;
  bool break_qe_signature = false;
};

// All defects; the first, with an empty name, is none.
std::span<const Defect> AllDefects();
// input.malformed with the known names.
Result<const Defect*> FindDefect(std::string_view name);

// A machine's quotes. `chip` must outlive it. Thread-safe.
class TdxQuoteSource : public ReportSource {
 public:
  TdxQuoteSource(const Chip& chip, const protocol::ChipMeasurement& measurement,
                 const Defect& defect)
      : chip_(chip), measurement_(measurement), defect_(defect) {}
  std::string_view provider() const override { return "tdx_guest"; }
  // As the kernel's driver: exactly 64 bytes, which become REPORTDATA. The quote is padded with
  // zeros.
  Result<Bytes> NewReport(ByteView inblob) const override;

 private:
  Result<Bytes> SignatureData(ByteView signed_part) const;

  const Chip& chip_;
  const protocol::ChipMeasurement measurement_;
  const Defect& defect_;
};

}  // namespace cce::sim
