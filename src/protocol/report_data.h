// What each conversation binds into REPORTDATA (docs/formats/protocol.md): SHA-512 over a framed
// label and the fields. 64 bytes, compared whole.
#pragma once

#include "protocol/identifiers.h"

namespace cce::protocol {

using ReportData = ByteArray<64>;

// cced proves its identity document (its bytes as sent) to a client's challenge.
ReportData IdentityReportData(const Challenge& challenge, ByteView document);

// A CVM asks for keys: its ephemeral HPKE key, the credential's bytes and the suite's name are
// bound.
ReportData KeysReportData(const Challenge& challenge, const RequestId& request, ByteView public_key,
                          std::string_view credential, std::string_view suite);

// A CVM hands in a sealed output.
struct ResultBinding {
  Challenge challenge;
  JobId job;
  uint32_t attempt;
  std::string credential;    // the submit credential
  ByteArray<65> public_key;  // the ephemeral key that the keys were released to
  Digest32 output;           // SHA-256 of the sealed output
};
ReportData ResultReportData(const ResultBinding& binding);

}  // namespace cce::protocol
