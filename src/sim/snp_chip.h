// The SNP half of the chip: AMD's PKI in small, under an ARK of its own (AMD 57230): ARK, ASK and
// ASVK with RSA-4096, endorsement keys (VCEK, VLEK) with P-384, their certificates with AMD's
// extensions, and the product's CRL. State in one folder a product (keys with mode 0600):
//
//   NAME.key   PKCS#8: ark, ask, asvk, vcek, vcek-old, vcek-revoked, vlek
//   NAME.der   the certificate of each
//   chip-id    64 bytes; Turin 8
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "sim/collateral_spec.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace cce::sim {

// A product line: what stands in reports and certificates of its chips.
struct SnpProduct {
  std::string_view name;          // "Milan"
  std::string_view product_name;  // extension of a VCEK: "Milan-B0"
  ByteArray<3> cpuid;             // combined family, combined model, stepping
  bool turin = false;             // TCB_VERSION with FMC, chip id of 8 bytes
};
// input.malformed with the known names: Milan, Genoa, Turin.
Result<const SnpProduct*> FindSnpProduct(std::string_view name);

// The components of a TCB_VERSION.
struct SnpVersions {
  uint8_t fmc = 0;  // Turin only
  uint8_t bootloader = 0;
  uint8_t tee = 0;
  uint8_t snp = 0;
  uint8_t microcode = 0;
  bool operator==(const SnpVersions&) const = default;
};
constexpr SnpVersions kSnpCurrent = {1, 9, 2, 23, 219};
constexpr SnpVersions kSnpOld = {1, 4, 0, 17, 209};  // what a floor is for
// The 8 bytes, which depend on the product.
ByteArray<8> EncodeTcbVersion(const SnpVersions& versions, const SnpProduct& product);

// The folder of a product's state in the chip's.
std::string SnpFolder(const std::string& state, std::string_view product);

enum class Vek { kCurrent, kOld, kRevoked, kVlek };

class SnpChip {
 public:
  // Opens the state folder; makes what is missing (seconds: three RSA-4096 keys). Errors: io.*,
  // chip.state_invalid, crypto.*, input.malformed for an unknown product.
  static Result<SnpChip> Open(const std::string& folder, std::string_view product,
                              const Clock& clock);

  const SnpProduct& product() const { return *product_; }
  const Bytes& chip_id() const { return chip_id_; }  // 64 bytes; Turin 8
  const Bytes& ark() const { return authorities_[kArk].certificate; }
  const Bytes& ask() const { return authorities_[kAsk].certificate; }
  const Bytes& asvk() const { return authorities_[kAsvk].certificate; }
  const Bytes& Certificate(Vek vek) const { return Leaf(vek).certificate; }
  // {"pem", "sha256_der", "sha256_spki"} of the ARK.
  Result<std::string> RootJson() const;

  // The ARK's CRL: it lists the revoked VCEK, by its issuer and serial number.
  Result<Bytes> NewCrl(const CollateralSpec& spec) const;
  // The members of a collateral bundle. No VEK: the evidence brings it.
  json::object Bundle(const Bytes& crl) const;
  // The certificate table of the host (AMD 56421; configfs `auxblob`): VEK, its intermediate, ARK.
  Bytes CertificateTable(Vek vek) const;
  // ECDSA P-384 with SHA-384: r || s, 48 bytes each, big-endian.
  Result<Bytes> Sign(Vek vek, ByteView message) const;

 private:
  struct FreeKey {
    void operator()(evp_pkey_st* key) const;
  };
  using Key = std::unique_ptr<evp_pkey_st, FreeKey>;
  struct Identity {
    Key key;
    Bytes certificate;
  };
  struct IdentitySpec;
  enum Authority { kArk, kAsk, kAsvk };
  SnpChip(const SnpProduct& product) : product_(&product) {}
  const Identity& Leaf(Vek vek) const { return leaves_[static_cast<size_t>(vek)]; }
  static Result<Key> LoadKey(const std::string& path, bool rsa);
  Result<> LoadChipId(const std::string& folder);
  Result<> LoadAuthorities(const std::string& folder, UnixSeconds now);
  Result<> LoadLeaves(const std::string& folder, UnixSeconds now);
  Result<Identity> LoadIdentity(const std::string& folder, const IdentitySpec& spec, Key key,
                                const Identity* issuer, UnixSeconds now) const;

  const SnpProduct* product_;
  Bytes chip_id_;
  std::vector<Identity> authorities_;  // in the order of Authority
  std::vector<Identity> leaves_;       // in the order of Vek
};

}  // namespace cce::sim
