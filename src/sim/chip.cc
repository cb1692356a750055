#include "sim/chip.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>

#include "base/file.h"
#include "base/json.h"
#include "crypto/hash.h"
#include "sim/certificates.h"
#include "sim/platform.h"
#include "sim/tcb_documents.h"

namespace cce::sim {
namespace {

constexpr size_t kMaxCollateral = 1 << 20;
// ".invalid" (RFC 2606) never resolves: the addresses are for form only. Who wants the collateral
// asks the service of this chip.
constexpr char kRootCrlUrl[] = "https://certificates.sim.invalid/SimulatedSGXRootCA.der";
constexpr char kPckCrlUrl[] =
    "https://api.sim.invalid/sgx/certification/v4/pckcrl?ca=platform&encoding=der";

bool Exists(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0;
}

Result<Bytes> SignDocument(const crypto::P256PrivateKey& key, std::string_view document) {
  ASSIGN_OR_RETURN(const crypto::P256Signature signature, key.Sign(AsBytes(document)));
  return ToBytes(signature);
}

// The documents in a stored file; nothing where they are not ours, or older than a day.
std::optional<TdxDocuments> ReadStored(std::string_view text, UnixSeconds now) {
  const auto stored = ParseJsonDocument(text, "stored collateral", {.max_bytes = kMaxCollateral});
  if (!stored) return std::nullopt;
  Fields fields(*stored);
  const auto made = static_cast<UnixSeconds>(fields.Uint("made_at", {.max = UINT32_MAX}));
  TdxDocuments out;
  out.tcb_info = fields.String("tcb_info", {});
  out.tcb_info_signature = fields.Hex("tcb_info_signature", 64);
  out.qe_identity = fields.String("qe_identity", {});
  out.qe_identity_signature = fields.Hex("qe_identity_signature", 64);
  out.root_crl = fields.Hex("root_crl", 0);
  out.pck_crl = fields.Hex("pck_crl", 0);
  out.processor_crl = fields.Hex("processor_crl", 0);
  if (!fields.Finish() || made > now || now - made >= kCollateralAge) return std::nullopt;
  return out;
}

std::string ToStored(const TdxDocuments& documents, UnixSeconds now) {
  return ToJson(json::object{{"made_at", now},
                             {"tcb_info", documents.tcb_info},
                             {"tcb_info_signature", ToHex(documents.tcb_info_signature)},
                             {"qe_identity", documents.qe_identity},
                             {"qe_identity_signature", ToHex(documents.qe_identity_signature)},
                             {"root_crl", ToHex(documents.root_crl)},
                             {"pck_crl", ToHex(documents.pck_crl)},
                             {"processor_crl", ToHex(documents.processor_crl)}});
}

}  // namespace

Result<UniqueFd> LockFolder(const std::string& folder) {
  UniqueFd fd(open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return FailErrno(folder + "/lock", errno);
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return FailErrno(folder + "/lock", errno);
  }
  return fd;
}

struct Chip::IdentitySpec {
  const char* name;         // of the files
  const char* common_name;  // phrases as in Intel's certificates, which verifiers look for
  std::optional<int> ca_path_length;
  UnixSeconds life;
  const char* crl_url;
  const PlatformTcb* tcb = nullptr;  // set: a PCK certificate
};

Result<Chip> Chip::Open(const std::string& folder, const Clock& clock) {
  TRY(MakeFolders(folder, 0700));
  ASSIGN_OR_RETURN(const UniqueFd lock, LockFolder(folder));
  ASSIGN_OR_RETURN(crypto::P256PrivateKey attestation_key, crypto::P256PrivateKey::Generate());
  Chip chip(std::move(attestation_key));
  TRY(chip.LoadIdentities(folder, clock.Now()));
  TRY(chip.LoadDocuments(folder, clock.Now()));
  return chip;
}

Result<> Chip::LoadIdentities(const std::string& folder, UnixSeconds now) {
  static constexpr IdentitySpec kRootSpec = {"root", "Simulated SGX Root CA", 1, 7300 * kDay,
                                             kRootCrlUrl};
  static constexpr IdentitySpec kUnderRoot[] = {
      {"platform-ca", "Simulated SGX PCK Platform CA", 0, 5475 * kDay, kRootCrlUrl},
      {"processor-ca", "Simulated SGX PCK Processor CA", 0, 5475 * kDay, kRootCrlUrl},
      {"tcb-signing", "Simulated SGX TCB Signing", std::nullopt, 2555 * kDay, kRootCrlUrl},
  };
  static constexpr const char* kPckName = "Simulated SGX PCK Certificate";
  static constexpr IdentitySpec kLeaves[] = {
      {"pck", kPckName, std::nullopt, 2555 * kDay, kPckCrlUrl, &kCurrentTcb},
      {"pck-old", kPckName, std::nullopt, 2555 * kDay, kPckCrlUrl, &kOldTcb},
      {"pck-revoked", kPckName, std::nullopt, 2555 * kDay, kPckCrlUrl, &kCurrentTcb},
  };
  const std::string ppid_path = folder + "/ppid";
  if (!Exists(ppid_path)) TRY(WriteFileAtomic(ppid_path, crypto::RandomBytes(16), 0600));
  ASSIGN_OR_RETURN(const Bytes ppid, ReadFile(ppid_path, 16));
  ASSIGN_OR_RETURN(ppid_, ToArray<16>(ppid));

  ASSIGN_OR_RETURN(Identity root, LoadIdentity(folder, kRootSpec, nullptr, now));
  authorities_.push_back(std::move(root));
  for (const IdentitySpec& spec : kUnderRoot) {
    ASSIGN_OR_RETURN(Identity identity, LoadIdentity(folder, spec, &authorities_[kRoot], now));
    authorities_.push_back(std::move(identity));
  }
  for (const IdentitySpec& spec : kLeaves) {
    ASSIGN_OR_RETURN(Identity identity,
                     LoadIdentity(folder, spec, &authorities_[kPlatformCa], now));
    leaves_.push_back(std::move(identity));
  }
  return {};
}

Result<Chip::Identity> Chip::LoadIdentity(const std::string& folder, const IdentitySpec& spec,
                                          const Identity* issuer, UnixSeconds now) {
  const std::string key_path = folder + "/" + spec.name + ".key";
  const std::string certificate_path = folder + "/" + spec.name + ".der";
  if (!Exists(key_path)) {
    ASSIGN_OR_RETURN(const crypto::P256PrivateKey fresh, crypto::P256PrivateKey::Generate());
    TRY(WriteFileAtomic(key_path, fresh.ExposeScalar().Expose(), 0600));
  }
  ASSIGN_OR_RETURN(const SecretBytes scalar, ReadSecretFile(key_path, 32));
  ASSIGN_OR_RETURN(crypto::P256PrivateKey key, crypto::P256PrivateKey::FromScalar(scalar.Expose()));
  const ByteView by = issuer == nullptr ? ByteView() : ByteView(issuer->certificate);
  if (!Exists(certificate_path)) {
    CertificateSpec certificate{.common_name = spec.common_name,
                                .ca_path_length = spec.ca_path_length,
                                .not_before = now - kSkew,
                                .not_after = now + spec.life,
                                .crl_url = spec.crl_url,
                                .extensions = {}};
    if (spec.tcb != nullptr) {
      ASSIGN_OR_RETURN(Bytes extension, SgxExtension(*spec.tcb, ppid_));
      certificate.extensions = {{kSgxExtensionOid, std::move(extension)}};
    }
    ASSIGN_OR_RETURN(const Bytes der,
                     IssueCertificate(certificate, key.evp(), by,
                                      issuer == nullptr ? key.evp() : issuer->key.evp()));
    TRY(WriteFileAtomic(certificate_path, der));
  }
  ASSIGN_OR_RETURN(Bytes der, ReadFile(certificate_path, 64 << 10));
  TRY(CheckCertificate(der, key.evp(), issuer == nullptr ? ByteView(der) : by));
  return Identity{std::move(key), std::move(der)};
}

Result<> Chip::LoadDocuments(const std::string& folder, UnixSeconds now) {
  const std::string path = folder + "/collateral.json";
  if (Exists(path)) {
    ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxCollateral));
    if (auto stored = ReadStored(text, now)) {
      documents_ = std::move(*stored);
      return {};
    }
  }
  ASSIGN_OR_RETURN(documents_, NewDocuments(CollateralSpec::At(now)));
  return WriteFileAtomic(path, AsBytes(ToStored(documents_, now)));
}

Result<TdxDocuments> Chip::NewDocuments(const CollateralSpec& spec) const {
  const Identity& platform_ca = authorities_[kPlatformCa];
  const Identity& processor_ca = authorities_[kProcessorCa];
  const Identity& tcb_signing = authorities_[kTcbSigning];
  TdxDocuments out{.tcb_info = TcbInfoDocument(spec), .qe_identity = QeIdentityDocument(spec)};
  ASSIGN_OR_RETURN(out.tcb_info_signature, SignDocument(tcb_signing.key, out.tcb_info));
  ASSIGN_OR_RETURN(out.qe_identity_signature, SignDocument(tcb_signing.key, out.qe_identity));
  if (spec.swap_signatures) std::swap(out.tcb_info_signature, out.qe_identity_signature);

  std::vector<Bytes> revoked;
  if (spec.revoke_platform_ca) revoked.push_back(platform_ca.certificate);
  if (spec.revoke_tcb_signing) revoked.push_back(tcb_signing.certificate);
  const Identity& root_issuer =
      spec.root_crl_issuer == CrlIssuer::kProper ? authorities_[kRoot] : platform_ca;
  ASSIGN_OR_RETURN(out.root_crl, IssueCrl(root_issuer.certificate, root_issuer.key.evp(), revoked,
                                          spec.root_crl.from, spec.root_crl.until));
  const Bytes revoked_pck[] = {Leaf(Pck::kRevoked).certificate};
  ASSIGN_OR_RETURN(out.pck_crl, IssueCrl(platform_ca.certificate, platform_ca.key.evp(),
                                         revoked_pck, spec.pck_crl.from, spec.pck_crl.until));
  ASSIGN_OR_RETURN(out.processor_crl, IssueCrl(processor_ca.certificate, processor_ca.key.evp(), {},
                                               spec.pck_crl.from, spec.pck_crl.until));
  if (spec.pck_crl_issuer == CrlIssuer::kSibling) out.pck_crl = out.processor_crl;
  return out;
}

json::object Chip::Bundle(const TdxDocuments& documents) const {
  return {{"pck_crl_issuer_chain", PlatformCaChain()},
          {"root_ca_crl", ToHex(documents.root_crl)},
          {"pck_crl", ToHex(documents.pck_crl)},
          {"tcb_info_issuer_chain", TcbSigningChain()},
          {"tcb_info", documents.tcb_info},
          {"tcb_info_signature", ToHex(documents.tcb_info_signature)},
          {"qe_identity_issuer_chain", TcbSigningChain()},
          {"qe_identity", documents.qe_identity},
          {"qe_identity_signature", ToHex(documents.qe_identity_signature)}};
}

std::string Chip::IssuerChain(Authority authority) const {
  return CertificateToPem(authorities_[authority].certificate) +
         CertificateToPem(root_certificate());
}

Result<std::string> RootToJson(const Bytes& certificate) {
  ASSIGN_OR_RETURN(const Bytes spki, CertificateSpki(certificate));
  return ToPrettyJson(json::object{{"pem", CertificateToPem(certificate)},
                                   {"sha256_der", ToHex(crypto::Sha256(certificate))},
                                   {"sha256_spki", ToHex(crypto::Sha256(spki))}});
}

std::string Chip::PckChain(Pck pck) const {
  return CertificateToPem(Leaf(pck).certificate) + PlatformCaChain();
}

}  // namespace cce::sim
