#include "protocol/report_data.h"

#include "crypto/hash.h"

namespace cce::protocol {

ReportData IdentityReportData(const Challenge& challenge, ByteView document) {
  return crypto::Sha512(Frame("cce4long/v1/report-data/identity", {challenge, document}));
}

ReportData KeysReportData(const Challenge& challenge, const RequestId& request, ByteView public_key,
                          std::string_view credential, std::string_view suite) {
  return crypto::Sha512(
      Frame("cce4long/v1/report-data/keys",
            {challenge, request, public_key, crypto::Sha256(AsBytes(credential)), AsBytes(suite)}));
}

ReportData ResultReportData(const ResultBinding& binding) {
  Bytes attempt;
  AppendU32(attempt, binding.attempt);
  return crypto::Sha512(
      Frame("cce4long/v1/report-data/result",
            {binding.challenge, binding.job, attempt, crypto::Sha256(AsBytes(binding.credential)),
             binding.public_key, binding.output}));
}

}  // namespace cce::protocol
