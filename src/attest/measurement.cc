#include "attest/measurement.h"

namespace cce::attest {
namespace {

// One register as stated by an entry and as found.
struct Register {
  std::string name;
  ByteView expected;
  ByteView actual;
};

template <size_t N>
void Add(std::vector<Register>& out, std::string name, const std::optional<ByteArray<N>>& expected,
         const ByteArray<N>& actual) {
  if (expected) out.push_back({std::move(name), *expected, actual});
}

std::vector<Register> RegistersOf(const Measurement& m, const TdBody& body) {
  std::vector<Register> out;
  Add(out, "mrtd", m.mrtd, body.mrtd);
  for (size_t i = 0; i < m.rtmr.size(); ++i) {
    Add(out, "rtmr" + std::to_string(i), m.rtmr[i], body.rtmr[i]);
  }
  Add(out, "mrseam", m.mrseam, body.mrseam);
  Add(out, "mrconfigid", m.mrconfigid, body.mrconfigid);
  Add(out, "mrowner", m.mrowner, body.mrowner);
  Add(out, "mrownerconfig", m.mrownerconfig, body.mrownerconfig);
  return out;
}

std::vector<Register> RegistersOf(const Measurement& m, const SnpReport& report) {
  std::vector<Register> out;
  Add(out, "launch_digest", m.launch_digest, report.measurement);
  Add(out, "host_data", m.host_data, report.host_data);
  Add(out, "id_key_digest", m.id_key_digest, report.id_key_digest);
  Add(out, "author_key_digest", m.author_key_digest, report.author_key_digest);
  Add(out, "family_id", m.family_id, report.family_id);
  Add(out, "image_id", m.image_id, report.image_id);
  return out;
}

template <typename Body>
MeasurementMatch Match(const std::vector<Measurement>& entries, Tee tee, const Body& body,
                       UnixSeconds time) {
  MeasurementMatch out;
  for (const Measurement& entry : entries) {
    if (entry.tee != tee) continue;
    const std::vector<Register> registers = RegistersOf(entry, body);
    if (registers.empty()) continue;  // an entry that names nothing matches nothing
    NearestMeasurement candidate{entry.name, entry.note, {}, false};
    for (const Register& r : registers) {
      if (Equal(r.expected, r.actual)) continue;
      candidate.differences.push_back({r.name, ToHex(r.expected), ToHex(r.actual)});
    }
    if (candidate.differences.empty()) {
      if (!entry.not_after || time <= *entry.not_after) return {entry.name, std::nullopt};
      candidate.expired = true;
    }
    if (!out.nearest || candidate.differences.size() < out.nearest->differences.size()) {
      out.nearest = std::move(candidate);
    }
  }
  return out;
}

}  // namespace

MeasurementMatch MatchMeasurement(const std::vector<Measurement>& entries, const TdBody& body,
                                  UnixSeconds time) {
  return Match(entries, Tee::kTdx, body, time);
}

MeasurementMatch MatchMeasurement(const std::vector<Measurement>& entries, const SnpReport& report,
                                  UnixSeconds time) {
  return Match(entries, Tee::kSnp, report, time);
}

}  // namespace cce::attest
