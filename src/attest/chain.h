// What both vendors' chains share: roots, certificate roles, time windows. Internal to src/attest.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "attest/policy.h"
#include "attest/x509.h"

namespace cce::attest {

// The moments at which a set of certificates, CRLs and documents all hold (both ends inclusive).
struct Window {
  UnixSeconds from = std::numeric_limits<UnixSeconds>::min();
  UnixSeconds until = std::numeric_limits<UnixSeconds>::max();
  void Narrow(UnixSeconds begin, UnixSeconds end) {
    from = std::max(from, begin);
    until = std::min(until, end);
  }
  bool Holds(UnixSeconds time) const { return from <= time && time <= until; }
};
std::string WindowText(UnixSeconds from, UnixSeconds until);

// The trusted root that `certificate` is, by its DER or its key; null where it is none.
const TrustedRoot* FindTrustedRoot(const std::vector<TrustedRoot>& roots, Tee tee,
                                   const Certificate& certificate);
// A certificate pinned by its key alone must also sign itself, else its own words are not the key
// holder's.
bool RootSpeaksForItself(const TrustedRoot& root, const Certificate& certificate);
std::string RootNames(const std::vector<TrustedRoot>& roots, Tee tee);

struct Role {
  bool ca = false;
  uint16_t usage = 0;  // all of these bits; 0: usage may be absent
  KeyKind key = KeyKind::kP256;
  uint64_t cas_below = 0;  // a CA's path length must allow as many CAs below it
};
// Why `certificate` cannot play `role`; empty where it can.
std::string RoleProblem(const Certificate& certificate, const Role& role);

inline bool Contains(const std::string& text, std::string_view phrase) {
  return text.find(phrase) != std::string::npos;
}

}  // namespace cce::attest
