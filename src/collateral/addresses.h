// Where Intel's and AMD's documents are served, in the vendors' own forms: Intel's Provisioning
// Certification Service and its caches (PCS, PCCS: API version 4), AMD's Key Distribution Service
// (KDS, 57230). Nothing here asks anybody.
#pragma once

#include <chrono>
#include <string>

#include "attest/document.h"
#include "base/result.h"

namespace cce::collateral {

enum class Vendor { kIntel, kAmd };
std::string_view VendorName(Vendor vendor);  // "intel", "amd"
Vendor VendorOf(attest::DocumentKind kind);

constexpr std::string_view kIntelPcs = "https://api.trustedservices.intel.com";
constexpr std::string_view kAmdKds = "https://kdsintf.amd.com";

struct Addresses {
  std::string pcs_url;                  // scheme, host, optional port and path prefix; empty: none
  std::string root_crl_url;             // the whole address; empty: DefaultRootCrlUrl
  std::string kds_url;                  // as pcs_url
  std::string tcb_update = "standard";  // or "early": Intel's word for TCB info and QE identity
  std::chrono::milliseconds timeout{10'000};  // of one request, from its start to its last byte

  bool Serves(Vendor vendor) const {
    return !(vendor == Vendor::kIntel ? pcs_url : kds_url).empty();
  }
};

// Every document is verified, so that a connection needs no secrecy; https keeps strangers on the
// way from withholding documents one by one. Plain http only to this machine.
// Error: input.malformed.
Result<> CheckAddress(std::string_view url);

// Intel's own service has no route for the root's CRL: that lies at the distribution point which
// the root certificate names. Caches (PCCS) have one.
std::string DefaultRootCrlUrl(std::string_view pcs_url);

// Where a document lies: an address without path, and the path with its query. Errors:
// input.malformed (no address for the vendor, or a subject that is none of the kind's).
struct Location {
  std::string base_url;
  std::string path;
};
Result<Location> LocationOf(const Addresses& addresses, const attest::DocumentKey& key);

}  // namespace cce::collateral
