// SNP reports of versions 2 to 5, and every wrapping of them.
#include "attest/types.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cce::attest::EvidenceForm;
  const cce::ByteView bytes(data, size);
  if (const auto report = cce::attest::ParseSnpReport(bytes)) {
    if (report->version < 2 || report->version > 5) __builtin_trap();
    if (report->signed_bytes.data() != data) __builtin_trap();
  }
  for (const EvidenceForm form : {EvidenceForm::kSnpReport, EvidenceForm::kSnpExtendedReport,
                                  EvidenceForm::kSnpWithTable, EvidenceForm::kAzureHcl}) {
    if (const auto evidence = cce::attest::ParseEvidence(bytes, form)) {
      if (!evidence->snp || evidence->report_data().size() != 64) __builtin_trap();
      (void)cce::attest::FieldsOf(*evidence);
    }
  }
  return 0;
}
