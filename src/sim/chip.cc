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

constexpr UnixSeconds kDay = 86400;
constexpr UnixSeconds kCollateralAge = kDay;        // older: made anew
constexpr UnixSeconds kCollateralLife = 30 * kDay;  // nextUpdate
constexpr UnixSeconds kSkew = 60;                   // everything is dated back by this much
constexpr size_t kMaxCollateral = 1 << 20;
// ".invalid" (RFC 2606) never resolves: the address is for form only, until a service is
// configured.
constexpr char kRootCrlUrl[] = "https://certificates.sim.invalid/SimulatedSGXRootCA.der";
constexpr char kPckCrlUrl[] =
    "https://api.sim.invalid/sgx/certification/v4/pckcrl?ca=platform&encoding=der";

bool Exists(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0;
}

Result<UniqueFd> Lock(const std::string& folder) {
  UniqueFd fd(open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return FailErrno(folder + "/lock", errno);
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return FailErrno(folder + "/lock", errno);
  }
  return fd;
}

// The signed string members are concatenated as they are: a signature is over exactly these bytes.
Result<std::string> SignDocument(const crypto::P256PrivateKey& key, std::string_view document) {
  ASSIGN_OR_RETURN(const crypto::P256Signature signature, key.Sign(AsBytes(document)));
  return ToHex(signature);
}

// The issueDate inside a stored bundle, or nothing where the bundle is not one of ours.
std::optional<UnixSeconds> IssueDate(std::string_view bundle) {
  const auto parsed = ParseJson(bundle, {.max_bytes = kMaxCollateral});
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const json::value* info = parsed->as_object().if_contains("tcb_info");
  if (info == nullptr || !info->is_string()) return std::nullopt;
  const auto document = ParseJson(std::string_view(info->as_string()));
  if (!document || !document->is_object()) return std::nullopt;
  const json::value* issued = document->as_object().if_contains("issueDate");
  if (issued == nullptr || !issued->is_string()) return std::nullopt;
  const auto time = ParseTime(std::string_view(issued->as_string()));
  if (!time) return std::nullopt;
  return *time;
}

}  // namespace

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
  ASSIGN_OR_RETURN(const UniqueFd lock, Lock(folder));
  ASSIGN_OR_RETURN(crypto::P256PrivateKey attestation_key, crypto::P256PrivateKey::Generate());
  Chip chip(std::move(attestation_key));
  TRY(chip.LoadIdentities(folder, clock.Now()));
  TRY(chip.LoadCollateral(folder, clock.Now()));
  return chip;
}

Result<> Chip::LoadIdentities(const std::string& folder, UnixSeconds now) {
  static constexpr IdentitySpec kRoot = {"root", "Simulated SGX Root CA", 1, 7300 * kDay,
                                         kRootCrlUrl};
  static constexpr IdentitySpec kUnderRoot[] = {
      {"platform-ca", "Simulated SGX PCK Platform CA", 0, 5475 * kDay, kRootCrlUrl},
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

  ASSIGN_OR_RETURN(Identity root, LoadIdentity(folder, kRoot, nullptr, now));
  authorities_.push_back(std::move(root));
  for (const IdentitySpec& spec : kUnderRoot) {
    ASSIGN_OR_RETURN(Identity identity, LoadIdentity(folder, spec, &authorities_[0], now));
    authorities_.push_back(std::move(identity));
  }
  for (const IdentitySpec& spec : kLeaves) {
    ASSIGN_OR_RETURN(Identity identity, LoadIdentity(folder, spec, &authorities_[1], now));
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
                                .sgx_extension = {}};
    if (spec.tcb != nullptr) {
      ASSIGN_OR_RETURN(certificate.sgx_extension, SgxExtension(*spec.tcb, ppid_));
    }
    ASSIGN_OR_RETURN(const Bytes der,
                     IssueCertificate(certificate, key, by, issuer == nullptr ? key : issuer->key));
    TRY(WriteFileAtomic(certificate_path, der));
  }
  ASSIGN_OR_RETURN(Bytes der, ReadFile(certificate_path, 64 << 10));
  TRY(CheckCertificate(der, key, issuer == nullptr ? ByteView(der) : by));
  return Identity{std::move(key), std::move(der)};
}

Result<> Chip::LoadCollateral(const std::string& folder, UnixSeconds now) {
  const std::string path = folder + "/collateral.json";
  if (Exists(path)) {
    ASSIGN_OR_RETURN(collateral_, ReadTextFile(path, kMaxCollateral));
    const auto issued = IssueDate(collateral_);
    if (issued && *issued <= now && now - *issued < kCollateralAge) return {};
  }
  ASSIGN_OR_RETURN(collateral_, NewCollateral(now));
  return WriteFileAtomic(path, AsBytes(collateral_));
}

Result<std::string> Chip::NewCollateral(UnixSeconds now) const {
  const Identity& root = authorities_[0];
  const Identity& platform_ca = authorities_[1];
  const Identity& tcb_signing = authorities_[2];
  const UnixSeconds issued = now - kSkew;
  const UnixSeconds next = issued + kCollateralLife;
  const std::string tcb_info = TcbInfoDocument(issued, next);
  const std::string qe_identity = QeIdentityDocument(issued, next);
  ASSIGN_OR_RETURN(const std::string tcb_signature, SignDocument(tcb_signing.key, tcb_info));
  ASSIGN_OR_RETURN(const std::string qe_signature, SignDocument(tcb_signing.key, qe_identity));
  ASSIGN_OR_RETURN(const Bytes root_crl, IssueCrl(root.certificate, root.key, {}, issued, next));
  const Bytes revoked[] = {Leaf(Pck::kRevoked).certificate};
  ASSIGN_OR_RETURN(const Bytes pck_crl,
                   IssueCrl(platform_ca.certificate, platform_ca.key, revoked, issued, next));
  const std::string root_pem = CertificateToPem(root.certificate);
  const std::string tcb_chain = CertificateToPem(tcb_signing.certificate) + root_pem;
  return ToJson(
      json::object{{"pck_crl_issuer_chain", CertificateToPem(platform_ca.certificate) + root_pem},
                   {"root_ca_crl", ToHex(root_crl)},
                   {"pck_crl", ToHex(pck_crl)},
                   {"tcb_info_issuer_chain", tcb_chain},
                   {"tcb_info", tcb_info},
                   {"tcb_info_signature", tcb_signature},
                   {"qe_identity_issuer_chain", tcb_chain},
                   {"qe_identity", qe_identity},
                   {"qe_identity_signature", qe_signature}});
}

Result<std::string> Chip::RootJson() const {
  ASSIGN_OR_RETURN(const Bytes spki, CertificateSpki(root_certificate()));
  return ToPrettyJson(json::object{{"pem", CertificateToPem(root_certificate())},
                                   {"sha256_der", ToHex(crypto::Sha256(root_certificate()))},
                                   {"sha256_spki", ToHex(crypto::Sha256(spki))}});
}

std::string Chip::PckChain(Pck pck) const {
  return CertificateToPem(Leaf(pck).certificate) + CertificateToPem(authorities_[1].certificate) +
         CertificateToPem(authorities_[0].certificate);
}

}  // namespace cce::sim
