// The chip's own state: keys, certificates and collateral in one folder (keys with mode 0600).
// Everything hangs on a root that is made at the first start and is nobody else's.
//
//   NAME.key     P-256 scalar, 32 bytes: root, platform-ca, tcb-signing, pck, pck-old, pck-revoked
//   NAME.der     the certificate of each
//   ppid         16 bytes, the platform's name in its PCK certificates
//   collateral.json  the collateral bundle (TCB info, QE identity, CRLs and their chains)
#pragma once

#include <array>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/p256.h"

namespace cce::sim {

// The provisioning keys of the platform: an honest one, one certified with old security versions,
// and one that the PCK CRL lists.
enum class Pck { kCurrent, kOld, kRevoked };

class Chip {
 public:
  // Opens the state folder; makes what is missing; renews collateral that is older than a day.
  // Errors: io.*, chip.state_invalid, crypto.*.
  static Result<Chip> Open(const std::string& folder, const Clock& clock);

  const Bytes& root_certificate() const { return authorities_[0].certificate; }  // DER
  // {"pem", "sha256_der", "sha256_spki"} of the root certificate.
  Result<std::string> RootJson() const;
  // The bundle's JSON text ("QuoteCollateralV3"): CRLs and signatures hex, chains PEM, documents as
  // strings.
  const std::string& collateral() const { return collateral_; }

  const crypto::P256PrivateKey& pck_key(Pck pck) const { return Leaf(pck).key; }
  // PEM: leaf, Platform CA, root.
  std::string PckChain(Pck pck) const;
  // The quoting enclave's attestation key: new at every start.
  const crypto::P256PrivateKey& attestation_key() const { return attestation_key_; }
  const ByteArray<16>& ppid() const { return ppid_; }

 private:
  struct Identity {
    crypto::P256PrivateKey key;
    Bytes certificate;
  };
  struct IdentitySpec;
  Chip(crypto::P256PrivateKey attestation_key) : attestation_key_(std::move(attestation_key)) {}
  const Identity& Leaf(Pck pck) const { return leaves_[static_cast<size_t>(pck)]; }
  Result<> LoadIdentities(const std::string& folder, UnixSeconds now);
  Result<Identity> LoadIdentity(const std::string& folder, const IdentitySpec& spec,
                                const Identity* issuer, UnixSeconds now);
  Result<> LoadCollateral(const std::string& folder, UnixSeconds now);
  Result<std::string> NewCollateral(UnixSeconds now) const;

  std::vector<Identity> authorities_;  // root, Platform CA, TCB signing
  std::vector<Identity> leaves_;       // in the order of Pck
  crypto::P256PrivateKey attestation_key_;
  ByteArray<16> ppid_{};
  std::string collateral_;
};

}  // namespace cce::sim
