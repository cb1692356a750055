// The single entry: evidence, collateral, policy, a moment and what must be bound, to a verdict. No
// network, clock or files; never throws; every input may be hostile. Stages in order, each only
// when the one before passed: collateral (chains, CRLs, signed documents, freshness), quote
// (signatures, identity of the signer), TCB, policy.
#pragma once

#include <memory>
#include <optional>

#include "attest/collateral.h"
#include "attest/policy.h"
#include "attest/types.h"
#include "attest/verdict.h"
#include "base/clock.h"

namespace cce::attest {

// What the caller expects the evidence to bind. There is no default for REPORTDATA: it is expected,
// or the caller says in so many words that nothing is.
class ExpectedBinding {
 public:
  explicit ExpectedBinding(const ByteArray<64>& data) : report_data(data) {}
  static ExpectedBinding WithoutReportData() { return ExpectedBinding(); }

  std::optional<ByteArray<64>> report_data;
  std::optional<ByteArray<48>> mrconfigid;  // TDX: digest of the launch document
  std::optional<ByteArray<32>> host_data;   // SNP: digest of the launch document

 private:
  ExpectedBinding() = default;
};

// Verifies from nothing: no state is used or left.
Verdict Verify(const Evidence& evidence, const Collateral& collateral, const Policy& policy,
               UnixSeconds time, const ExpectedBinding& binding);
// As above from bytes; what does not parse is a refusal (rule evidence.form), too.
Verdict VerifyBytes(ByteView evidence, const Collateral& collateral, const Policy& policy,
                    UnixSeconds time, const ExpectedBinding& binding);

// As Verify, remembering verified chains, CRLs and documents by digest (bounded; never past the
// earliest notAfter or nextUpdate of what went in). The verdict is the same, only sooner.
// Thread-safe.
class Verifier {
 public:
  explicit Verifier(size_t max_entries = 256);
  ~Verifier();
  Verdict Verify(const Evidence& evidence, const Collateral& collateral, const Policy& policy,
                 UnixSeconds time, const ExpectedBinding& binding) const;
  void Forget();  // empties the cache

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cce::attest
