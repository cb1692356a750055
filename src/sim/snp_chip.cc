#include "sim/snp_chip.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <future>
#include <optional>

#include "base/file.h"
#include "crypto/openssl.h"
#include "sim/certificates.h"
#include "sim/chip.h"

namespace cce::sim {
namespace {

constexpr SnpProduct kProducts[] = {
    {"Milan", "Milan-B0", {0x19, 0x01, 0x01}, false},
    {"Genoa", "Genoa", {0x19, 0x11, 0x01}, false},
    {"Turin", "Turin", {0x1A, 0x02, 0x01}, true},
};
constexpr char kArc[] = "1.3.6.1.4.1.3704.1.";  // AMD's extensions
constexpr char kCspId[] = "CN=cloud.sim.invalid";
constexpr int kScalarSize = 48;

bool Exists(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0;
}

// The GUIDs of a certificate table, as they lie in memory (the first three groups little-endian).
constexpr ByteArray<16> kVcekGuid = {0x8D, 0x75, 0xDA, 0x63, 0x64, 0xE6, 0x64, 0x45,
                                     0xAD, 0xC5, 0xF4, 0xB9, 0x3B, 0xE8, 0xAC, 0xCD};
constexpr ByteArray<16> kVlekGuid = {0xC2, 0x4B, 0x07, 0xA8, 0x5A, 0xA2, 0x3E, 0x48,
                                     0xAA, 0xE6, 0x39, 0xC0, 0x45, 0xA0, 0xB8, 0xA1};
constexpr ByteArray<16> kAskGuid = {0x79, 0xB3, 0xB7, 0x4A, 0xAC, 0xBB, 0xE4, 0x4F,
                                    0xA0, 0x2F, 0x05, 0xAE, 0xF3, 0x27, 0xC7, 0x82};
constexpr ByteArray<16> kArkGuid = {0xA4, 0x06, 0xB4, 0xC0, 0x03, 0xA8, 0x52, 0x49,
                                    0x97, 0x43, 0x3F, 0xB6, 0x01, 0x4C, 0xD0, 0xAE};

void AppendLe32(Bytes& out, size_t value) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

}  // namespace

Result<const SnpProduct*> FindSnpProduct(std::string_view name) {
  std::string known;
  for (const SnpProduct& product : kProducts) {
    if (product.name == name) return &product;
    known += (known.empty() ? "" : ", ") + std::string(product.name);
  }
  return Fail(MakeError("input.malformed", "there is no such product")
                  .Expected("one of " + known)
                  .Found(std::string(name)));
}

ByteArray<8> EncodeTcbVersion(const SnpVersions& v, const SnpProduct& product) {
  if (product.turin) return {v.fmc, v.bootloader, v.tee, v.snp, 0, 0, 0, v.microcode};
  return {v.bootloader, v.tee, 0, 0, 0, 0, v.snp, v.microcode};
}

std::string SnpFolder(const std::string& state, std::string_view product) {
  return state + "/snp-" + std::string(product);
}

struct SnpChip::IdentitySpec {
  const char* name;  // of the files
  std::string common_name;
  std::optional<int> ca_path_length;
  UnixSeconds life = 0;
  std::vector<std::pair<std::string, Bytes>> extensions;
};

void SnpChip::FreeKey::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

Result<SnpChip> SnpChip::Open(const std::string& folder, std::string_view product,
                              const Clock& clock) {
  ASSIGN_OR_RETURN(const SnpProduct* known, FindSnpProduct(product));
  TRY(MakeFolders(folder, 0700));
  ASSIGN_OR_RETURN(const UniqueFd lock, LockFolder(folder));
  SnpChip chip(*known);
  TRY(chip.LoadChipId(folder));
  TRY(chip.LoadAuthorities(folder, clock.Now()));
  TRY(chip.LoadLeaves(folder, clock.Now()));
  return chip;
}

Result<> SnpChip::LoadChipId(const std::string& folder) {
  const size_t size = product_->turin ? 8 : 64;
  const std::string path = folder + "/chip-id";
  if (!Exists(path)) TRY(WriteFileAtomic(path, crypto::RandomBytes(size), 0600));
  ASSIGN_OR_RETURN(chip_id_, ReadFile(path, size));
  if (chip_id_.size() != size) return Fail("chip.state_invalid", "a chip id has another size");
  return {};
}

Result<SnpChip::Key> SnpChip::LoadKey(const std::string& path, bool rsa) {
  if (!Exists(path)) {
    const Key fresh(rsa ? EVP_RSA_gen(4096) : EVP_EC_gen("P-384"));
    uint8_t* der = nullptr;
    const int size = fresh ? i2d_PrivateKey(fresh.get(), &der) : 0;
    if (size <= 0) return crypto::OpenSslFailure("make a key");
    const SecretBytes secret = SecretBytes::CopyOf({der, static_cast<size_t>(size)});
    OPENSSL_clear_free(der, static_cast<size_t>(size));
    TRY(WriteFileAtomic(path, secret.Expose(), 0600));
  }
  ASSIGN_OR_RETURN(const SecretBytes secret, ReadSecretFile(path, 8 << 10));
  const uint8_t* p = secret.Expose().data();
  Key key(d2i_AutoPrivateKey(nullptr, &p, static_cast<long>(secret.size())));
  if (!key || (EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA) != rsa) {
    ERR_clear_error();
    return Fail("chip.state_invalid", path + " holds no key of its kind");
  }
  return key;
}

Result<> SnpChip::LoadAuthorities(const std::string& folder, UnixSeconds now) {
  const std::string product(product_->name);
  const IdentitySpec specs[] = {
      {"ark", "ARK-" + product, 1, 9125 * kDay, {}},
      {"ask", "SEV-" + product, 0, 9125 * kDay, {}},
      {"asvk", "SEV-VLEK-" + product, 0, 9125 * kDay, {}},
  };
  // An RSA-4096 key takes a second or more to find: at the same time.
  std::vector<std::future<Result<Key>>> keys;
  for (const IdentitySpec& spec : specs) {
    keys.push_back(std::async(std::launch::async, [path = folder + "/" + spec.name + ".key"] {
      return LoadKey(path, /*rsa=*/true);
    }));
  }
  for (size_t i = 0; i < std::size(specs); ++i) {
    ASSIGN_OR_RETURN(Key key, keys[i].get());
    ASSIGN_OR_RETURN(Identity identity,
                     LoadIdentity(folder, specs[i], std::move(key),
                                  i == kArk ? nullptr : &authorities_[kArk], now));
    authorities_.push_back(std::move(identity));
  }
  return {};
}

Result<> SnpChip::LoadLeaves(const std::string& folder, UnixSeconds now) {
  const auto extensions = [&](const SnpVersions& v, bool vlek) {
    const std::string arc = kArc;
    std::vector<std::pair<std::string, Bytes>> out = {
        {arc + "1", DerInteger(1)},
        {arc + "2", DerIa5String(vlek ? product_->name : product_->product_name)},
        {arc + "3.1", DerInteger(v.bootloader)},
        {arc + "3.2", DerInteger(v.tee)},
        {arc + "3.3", DerInteger(v.snp)},
        {arc + "3.8", DerInteger(v.microcode)}};
    if (product_->turin) out.emplace_back(arc + "3.9", DerInteger(v.fmc));
    // The hwID stands bare, without a DER header.
    out.emplace_back(vlek ? arc + "5" : arc + "4", vlek ? DerIa5String(kCspId) : chip_id_);
    return out;
  };
  const IdentitySpec specs[] = {
      {"vcek", "SEV-VCEK", std::nullopt, 2555 * kDay, extensions(kSnpCurrent, false)},
      {"vcek-old", "SEV-VCEK", std::nullopt, 2555 * kDay, extensions(kSnpOld, false)},
      {"vcek-revoked", "SEV-VCEK", std::nullopt, 2555 * kDay, extensions(kSnpCurrent, false)},
      {"vlek", "SEV-VLEK", std::nullopt, 365 * kDay, extensions(kSnpCurrent, true)},
  };
  for (const IdentitySpec& spec : specs) {
    const bool vlek = spec.common_name == "SEV-VLEK";
    ASSIGN_OR_RETURN(Key key, LoadKey(folder + "/" + spec.name + ".key", /*rsa=*/false));
    ASSIGN_OR_RETURN(Identity identity, LoadIdentity(folder, spec, std::move(key),
                                                     &authorities_[vlek ? kAsvk : kAsk], now));
    leaves_.push_back(std::move(identity));
  }
  return {};
}

Result<SnpChip::Identity> SnpChip::LoadIdentity(const std::string& folder, const IdentitySpec& spec,
                                                Key key, const Identity* issuer,
                                                UnixSeconds now) const {
  const std::string path = folder + "/" + spec.name + ".der";
  const ByteView by = issuer == nullptr ? ByteView() : ByteView(issuer->certificate);
  if (!Exists(path)) {
    const CertificateSpec certificate{.common_name = spec.common_name,
                                      .ca_path_length = spec.ca_path_length,
                                      .not_before = now - kSkew,
                                      .not_after = now + spec.life,
                                      .crl_url = {},
                                      .extensions = spec.extensions,
                                      .bare = !spec.ca_path_length};
    ASSIGN_OR_RETURN(const Bytes der,
                     IssueCertificate(certificate, key.get(), by,
                                      issuer == nullptr ? key.get() : issuer->key.get()));
    TRY(WriteFileAtomic(path, der));
  }
  ASSIGN_OR_RETURN(Bytes der, ReadFile(path, 64 << 10));
  TRY(CheckCertificate(der, key.get(), issuer == nullptr ? ByteView(der) : by));
  return Identity{std::move(key), std::move(der)};
}

Result<std::string> SnpChip::RootJson() const { return RootToJson(ark()); }

Result<Bytes> SnpChip::NewCrl(const CollateralSpec& spec) const {
  std::vector<Bytes> revoked = {Certificate(Vek::kRevoked)};
  if (spec.revoke_ask) revoked.push_back(ask());
  const Identity& issuer = authorities_[spec.snp_crl_issuer == CrlIssuer::kProper ? kArk : kAsk];
  return IssueCrl(issuer.certificate, issuer.key.get(), revoked, spec.snp_crl.from,
                  spec.snp_crl.until);
}

json::object SnpChip::Bundle(const Bytes& crl) const {
  return {{"snp_ask", ToHex(ask())}, {"snp_ark", ToHex(ark())}, {"snp_crl", ToHex(crl)}};
}

Bytes SnpChip::CertificateTable(Vek vek) const {
  const bool vlek = vek == Vek::kVlek;
  struct Entry {
    const ByteArray<16>& guid;
    const Bytes& certificate;
  };
  const Entry entries[] = {{vlek ? kVlekGuid : kVcekGuid, Certificate(vek)},
                           {kAskGuid, vlek ? asvk() : ask()},
                           {kArkGuid, ark()}};
  Bytes out;
  size_t offset = (std::size(entries) + 1) * 24;
  for (const Entry& entry : entries) {
    Append(out, entry.guid);
    AppendLe32(out, offset);
    AppendLe32(out, entry.certificate.size());
    offset += entry.certificate.size();
  }
  out.insert(out.end(), 24, 0);
  for (const Entry& entry : entries) Append(out, entry.certificate);
  return out;
}

Result<Bytes> SnpChip::Sign(Vek vek, ByteView message) const {
  const crypto::DigestContextPtr signer(EVP_MD_CTX_new());
  Bytes der(256);
  size_t size = der.size();
  if (!signer ||
      EVP_DigestSignInit(signer.get(), nullptr, EVP_sha384(), nullptr, Leaf(vek).key.get()) != 1 ||
      EVP_DigestSign(signer.get(), der.data(), &size, message.data(), message.size()) != 1) {
    return crypto::OpenSslFailure("sign a report");
  }
  const uint8_t* p = der.data();
  const std::unique_ptr<ECDSA_SIG, crypto::FreeWith<ECDSA_SIG_free>> signature(
      d2i_ECDSA_SIG(nullptr, &p, static_cast<long>(size)));
  Bytes out(size_t{2} * kScalarSize);
  if (!signature ||
      BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out.data(), kScalarSize) != kScalarSize ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out.data() + kScalarSize, kScalarSize) !=
          kScalarSize) {
    return crypto::OpenSslFailure("sign a report");
  }
  return out;
}

}  // namespace cce::sim
