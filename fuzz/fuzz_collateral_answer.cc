// Answers of collateral services: first byte the kind, then the chain header up to a line feed,
// then the body; and what is made of them under the vendors' roots.
#include "attest/policy.h"
#include "collateral/fetcher.h"
#include "collateral/store.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cce::attest::DocumentKind;
  if (size == 0) return 0;
  const auto kind = static_cast<DocumentKind>(data[0] % 7);
  const std::string_view text = cce::AsText({data + 1, size - 1});
  const size_t end = text.find('\n');
  const std::string header(text.substr(0, end));
  const std::string_view body = end == std::string_view::npos ? "" : text.substr(end + 1);
  const std::map<std::string, std::string> headers = {{"tcb-info-issuer-chain", header},
                                                      {"sgx-enclave-identity-issuer-chain", header},
                                                      {"sgx-pck-crl-issuer-chain", header}};
  (void)cce::collateral::ReadRetryAfter(header, 1790000000);
  auto document = cce::collateral::ReadAnswer({kind, "root"}, cce::AsBytes(body), headers, {});
  if (!document) return 0;
  cce::collateral::Store store(cce::attest::VendorRoots(), 4);
  (void)store.Take(std::move(*document), 1790000000);
  return 0;
}
