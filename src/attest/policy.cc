#include "attest/policy.h"

#include <algorithm>

#include "attest/little_endian.h"
#include "attest/x509.h"

namespace cce::attest {
namespace {

struct StatusWord {
  TcbStatus status;
  std::string_view name;
};
constexpr StatusWord kStatuses[] = {
    {TcbStatus::kUpToDate, "UpToDate"},
    {TcbStatus::kSwHardeningNeeded, "SWHardeningNeeded"},
    {TcbStatus::kConfigurationNeeded, "ConfigurationNeeded"},
    {TcbStatus::kConfigurationAndSwHardeningNeeded, "ConfigurationAndSWHardeningNeeded"},
    {TcbStatus::kOutOfDate, "OutOfDate"},
    {TcbStatus::kOutOfDateConfigurationNeeded, "OutOfDateConfigurationNeeded"},
    {TcbStatus::kTdRelaunchAdvised, "TDRelaunchAdvised"},
    {TcbStatus::kTdRelaunchAdvisedConfigurationNeeded, "TDRelaunchAdvisedConfigurationNeeded"},
    {TcbStatus::kRevoked, "Revoked"},
};

// SHA-256 of the DER of the vendors' root certificates: Intel SGX Root CA (valid 2018 to 2049) and
// AMD's ARKs.
struct PinnedRoot {
  const char* name;
  Tee tee;
  SnpProduct product;
  const char* sha256;
};
constexpr PinnedRoot kPinned[] = {
    {"intel", Tee::kTdx, SnpProduct::kUnknown,
     "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"},
    {"amd-milan", Tee::kSnp, SnpProduct::kMilan,
     "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd"},
    {"amd-genoa", Tee::kSnp, SnpProduct::kGenoa,
     "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1"},
    {"amd-turin", Tee::kSnp, SnpProduct::kTurin,
     "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a"},
};

}  // namespace

std::string_view StatusName(TcbStatus status) {
  for (const StatusWord& word : kStatuses) {
    if (word.status == status) return word.name;
  }
  return "";
}

std::optional<TcbStatus> StatusFromName(std::string_view name) {
  for (const StatusWord& word : kStatuses) {
    if (word.name == name) return word.status;
  }
  return std::nullopt;
}

const std::vector<TrustedRoot>& VendorRoots() {
  static const std::vector<TrustedRoot> kRoots = [] {
    std::vector<TrustedRoot> out;
    for (const PinnedRoot& pinned : kPinned) {
      out.push_back({pinned.name, pinned.tee,
                     ArrayFromHex<32>(pinned.sha256).value_or(ByteArray<32>{}), true,
                     pinned.product});
    }
    return out;
  }();
  return kRoots;
}

TrustedRoot RootFromDer(std::string name, Tee tee, ByteView der) {
  return {std::move(name), tee, crypto::Sha256(der), false, SnpProduct::kUnknown};
}

Policy StrictPolicy() {
  Policy out;
  out.roots = VendorRoots();
  out.any_measurement = true;
  return out;
}

Measurement MeasurementOf(const Evidence& evidence, std::string name) {
  Measurement out;
  out.name = std::move(name);
  out.tee = evidence.tee;
  if (evidence.tdx) {
    const TdBody& body = evidence.tdx->body;
    out.mrtd = body.mrtd;
    for (size_t i = 0; i < 3; ++i) out.rtmr[i] = body.rtmr[i];
  } else if (evidence.snp) {
    out.launch_digest = evidence.snp->measurement;
  }
  return out;
}

}  // namespace cce::attest
