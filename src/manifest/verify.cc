#include "manifest/verify.h"

#include "manifest/examiner.h"

namespace cce::manifest {

Report Examine(ByteView output_tar, const Bundle& bundle, const Trust& trust,
               bool allow_development) {
  return Examiner(output_tar, bundle, trust, AttestJudge()).Examine(allow_development);
}

Result<VerifiedManifest> Verify(ByteView output_tar, const Bundle& bundle, const Trust& trust,
                                bool allow_development) {
  Report report = Examine(output_tar, bundle, trust, allow_development);
  if (report.error) return Fail(std::move(*report.error));
  if (!report.statement) return Fail("internal.bug", "a manifest was accepted without statement");
  return VerifiedManifest{std::move(*report.statement), std::move(report.steps),
                          std::move(report.development)};
}

}  // namespace cce::manifest
