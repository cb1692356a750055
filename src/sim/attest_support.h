// What the tests of this folder need to judge the chip's evidence with the engine's own verifier.
// Test code only.
#pragma once

#include <string>

#include "attest/verify.h"
#include "protocol/simulated_chip.h"
#include "sim/snp_report.h"
#include "sim/tdx_quote.h"
#include "sim/test_folder.h"

namespace cce::sim {

constexpr UnixSeconds kTestTime = 1790000000;

class FixedClock : public Clock {
 public:
  explicit FixedClock(UnixSeconds now) : now_(now) {}
  int64_t NowMillis() const override { return now_ * 1000; }

 private:
  UnixSeconds now_;
};

// A chip in `folder` with the RSA keys of the first such call: to find one takes a second or more.
inline SnpChip OpenTestSnpChip(const std::string& folder, const std::string& product) {
  static const TestFolder first;
  static const bool made = SnpChip::Open(first.path(), product, FixedClock(kTestTime)).has_value();
  const std::string own = SnpFolder(folder, product);
  std::filesystem::create_directories(own);
  for (const char* name : {"ark.key", "ask.key", "asvk.key"}) {
    if (made) std::filesystem::copy_file(first.path() + "/" + name, own + "/" + name);
  }
  return std::move(*SnpChip::Open(own, product, FixedClock(kTestTime)));
}

// The id of the first failing rule; "accepted" where there is none.
inline std::string FirstFailure(const attest::Verdict& verdict) {
  if (verdict.accepted) return "accepted";
  return verdict.first_failure ? verdict.first_failure->rule : "refused without a failure";
}

inline protocol::ChipMeasurement TestMeasurement() {
  protocol::ChipMeasurement out;
  out.mrtd.fill(0x11);
  out.rtmr[1].fill(0x21);
  out.rtmr[2].fill(0x22);
  out.mrconfigid.fill(0x33);
  out.launch_digest.fill(0x44);
  out.host_data.fill(0x55);
  return out;
}

// The strict policy for exactly that guest under one root.
inline attest::Policy TestPolicy(attest::Tee tee, const Bytes& root) {
  const protocol::ChipMeasurement registers = TestMeasurement();
  attest::Policy out = attest::StrictPolicy();
  out.roots = {attest::RootFromDer("simulated", tee, root)};
  out.any_measurement = false;
  attest::Measurement guest{.name = "guest", .tee = tee};
  if (tee == attest::Tee::kTdx) {
    guest.mrtd = registers.mrtd;
    guest.rtmr[1] = registers.rtmr[1];
    guest.rtmr[2] = registers.rtmr[2];
  } else {
    guest.launch_digest = registers.launch_digest;
  }
  out.measurements = {guest};
  return out;
}

inline ByteArray<64> TestReportData() {
  ByteArray<64> out;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(i);
  return out;
}

inline attest::ExpectedBinding TestBinding() {
  attest::ExpectedBinding out(TestReportData());
  out.mrconfigid = TestMeasurement().mrconfigid;
  out.host_data = TestMeasurement().host_data;
  return out;
}

// As tee-agent sends it: the evidence, and behind it what came with it.
inline Bytes EvidenceOf(const ReportSource& source) {
  const Result<Bytes> report = source.NewReport(TestReportData());
  if (!report) return {};
  Bytes out = *report;
  Append(out, source.Auxiliary());
  return out;
}

}  // namespace cce::sim
