// The chip's own state: keys, certificates and collateral in one folder (keys with mode 0600).
// Everything hangs on a root that is made at the first start and is nobody else's.
//
//   NAME.key     P-256 scalar, 32 bytes: root, platform-ca, processor-ca, tcb-signing, pck,
//   pck-old,
//                pck-revoked
//   NAME.der     the certificate of each
//   ppid         16 bytes, the platform's name in its PCK certificates
//   collateral.json  the collateral bundle (TCB info, QE identity, CRLs and their chains)
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/result.h"
#include "crypto/p256.h"
#include "sim/collateral_spec.h"

namespace cce::sim {

// One set of TDX collateral: documents and CRLs of one moment, and the chains of their issuers.
struct TdxDocuments {
  std::string tcb_info;  // signatures are over exactly these bytes
  Bytes tcb_info_signature;
  std::string qe_identity;
  Bytes qe_identity_signature;
  Bytes root_crl;  // DER
  Bytes pck_crl;   // of the Platform CA
  Bytes processor_crl;
};

// The provisioning keys of the platform: an honest one, one certified with old security versions,
// and one that the PCK CRL lists.
enum class Pck { kCurrent, kOld, kRevoked };

// Waits until nobody else makes keys in a state folder.
Result<UniqueFd> LockFolder(const std::string& folder);
// {"pem", "sha256_der", "sha256_spki"} of a root certificate.
Result<std::string> RootToJson(const Bytes& certificate);

class Chip {
 public:
  // Opens the state folder; makes what is missing; renews collateral that is older than a day.
  // Errors: io.*, chip.state_invalid, crypto.*.
  static Result<Chip> Open(const std::string& folder, const Clock& clock);

  const Bytes& root_certificate() const { return authorities_[kRoot].certificate; }  // DER
  Result<std::string> RootJson() const { return RootToJson(root_certificate()); }
  // The stored set.
  const TdxDocuments& documents() const { return documents_; }
  // A new one.
  Result<TdxDocuments> NewDocuments(const CollateralSpec& spec) const;
  // The members of a collateral bundle ("QuoteCollateralV3"): CRLs and signatures hex, chains PEM,
  // documents as strings.
  json::object Bundle(const TdxDocuments& documents) const;
  // PEM: the issuer, then the root.
  std::string TcbSigningChain() const { return IssuerChain(kTcbSigning); }
  std::string PlatformCaChain() const { return IssuerChain(kPlatformCa); }
  std::string ProcessorCaChain() const { return IssuerChain(kProcessorCa); }

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
  enum Authority { kRoot, kPlatformCa, kProcessorCa, kTcbSigning };
  std::string IssuerChain(Authority authority) const;
  Result<> LoadDocuments(const std::string& folder, UnixSeconds now);

  std::vector<Identity> authorities_;  // in the order of Authority
  std::vector<Identity> leaves_;       // in the order of Pck
  crypto::P256PrivateKey attestation_key_;
  ByteArray<16> ppid_{};
  TdxDocuments documents_;
};

}  // namespace cce::sim
