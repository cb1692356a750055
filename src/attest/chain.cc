#include "attest/chain.h"

#include "base/clock.h"

namespace cce::attest {

std::string WindowText(UnixSeconds from, UnixSeconds until) {
  return FormatTime(from) + " to " + FormatTime(until);
}

const TrustedRoot* FindTrustedRoot(const std::vector<TrustedRoot>& roots, Tee tee,
                                   const Certificate& certificate) {
  const crypto::Sha256Digest by_der = certificate.Fingerprint();
  const crypto::Sha256Digest by_key = crypto::Sha256(certificate.spki);
  for (const TrustedRoot& root : roots) {
    if (root.tee && *root.tee != tee) continue;
    if (root.sha256 == by_der || root.sha256 == by_key) return &root;
  }
  return nullptr;
}

bool RootSpeaksForItself(const TrustedRoot& root, const Certificate& certificate) {
  return root.sha256 == certificate.Fingerprint() || SignedBy(certificate, certificate.key);
}

std::string RootNames(const std::vector<TrustedRoot>& roots, Tee tee) {
  std::string out;
  for (const TrustedRoot& root : roots) {
    if (root.tee && *root.tee != tee) continue;
    out += (out.empty() ? "" : ", ") + root.name;
  }
  return out.empty() ? "none" : out;
}

std::string RoleProblem(const Certificate& certificate, const Role& role) {
  const std::string name = "'" + certificate.subject_cn + "' ";
  if (certificate.key_kind != role.key) return name + "has a key of another kind";
  if (role.ca != certificate.ca) return name + (role.ca ? "is no CA" : "is a CA");
  if (role.ca && certificate.path_length && *certificate.path_length < role.cas_below) {
    return name + "has a path length of " + std::to_string(*certificate.path_length);
  }
  if (role.usage == 0 && !certificate.key_usage) return {};
  const uint16_t usage = certificate.key_usage.value_or(0);
  if ((usage & role.usage) != role.usage) return name + "lacks a key usage";
  if (!role.ca && (usage & kUsageCertSign) != 0)
    return name + "may sign certificates, but is no CA";
  return {};
}

}  // namespace cce::attest
