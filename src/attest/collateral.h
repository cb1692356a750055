// Collateral: what the vendors say about chips and firmware, and with which signatures. Held as
// bytes exactly as signed; nothing here is verified yet, `Verify` does that.
//
// Text form ("bundle", JSON): the members that users of Intel's PCS pass around (tcb_info,
// tcb_info_signature, qe_identity, qe_identity_signature, pck_crl, root_ca_crl in hex DER,
// *_issuer_chain in PEM, optional pck_certificate_chain), and for SNP: snp_vek, snp_ask, snp_ark,
// snp_crl (hex DER). Unknown members are errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attest/types.h"
#include "base/bytes.h"
#include "base/result.h"

namespace cce::attest {

// A document and the signature (r || s) over exactly `body`'s bytes.
struct SignedDocument {
  std::string body;
  Bytes signature;  // 64 bytes
};

struct TdxCollateral {
  SignedDocument tcb_info;               // body: the value of "tcbInfo"
  SignedDocument qe_identity;            // body: the value of "enclaveIdentity"
  Bytes pck_crl;                         // DER
  Bytes root_crl;                        // DER
  std::vector<Bytes> tcb_info_chain;     // DER: TCB signing, root; in either order
  std::vector<Bytes> qe_identity_chain;  // as above
  std::vector<Bytes> pck_crl_chain;  // PCK CA, root; may be empty: the quote's own chain is used
  std::vector<Bytes> pck_chain;      // leaf first; for quotes without a chain, else empty
};

struct SnpCollateral {
  Bytes vek;  // DER: VCEK or VLEK; may be empty where the evidence carries one
  Bytes ask;  // ASK or ASVK
  Bytes ark;
  Bytes crl;  // may be empty where the policy allows
};

struct Collateral {
  std::optional<TdxCollateral> tdx;
  std::optional<SnpCollateral> snp;
};

// Errors of all readers: collateral.malformed, input.*
Result<Collateral> ParseBundle(std::string_view json);
std::string ToBundleJson(const Collateral& collateral);

// Splits a response of Intel's PCS: {"tcbInfo":X,"signature":H} or
// {"enclaveIdentity":X,"signature":H}, keeping X's bytes as they stand.
Result<SignedDocument> SplitTcbInfo(std::string_view response);
Result<SignedDocument> SplitQeIdentity(std::string_view response);

// PEM text (LF or CRLF, NUL at its end) to DER certificates, in their order; at most 8.
Result<std::vector<Bytes>> ParsePemChain(std::string_view pem);
std::string ToPem(const std::vector<Bytes>& chain);
// A certificate or CRL in DER, PEM or hex text, as DER.
Result<Bytes> ReadCertificate(ByteView bytes);
Result<Bytes> ReadCrl(ByteView bytes);

// Makes a set of TDX collateral from responses as fetched: documents with signatures, CRLs (DER,
// PEM or hex), chains (PEM, already URL-decoded).
struct TdxParts {
  std::string_view tcb_info;
  std::string_view qe_identity;
  ByteView pck_crl;
  ByteView root_crl;
  std::string_view tcb_info_chain;
  std::string_view qe_identity_chain;  // empty: the same as tcb_info_chain
  std::string_view pck_crl_chain;      // may be empty
  std::string_view pck_chain;          // may be empty
};
Result<TdxCollateral> MakeTdxCollateral(const TdxParts& parts);

// Sorts a folder's files by what they are, whatever their names: PCS responses or a bundle (JSON),
// CRLs and certificates (DER, PEM, hex). Two different things of one kind are an error, and so is a
// file of no known kind.
struct NamedBytes {
  std::string name;  // shown in errors
  Bytes bytes;
};
Result<Collateral> AssembleCollateral(const std::vector<NamedBytes>& files);

// What collateral evidence needs: the KDS and PCS keys to look it up by.
struct CollateralNeed {
  Tee tee = Tee::kTdx;
  std::string fmspc;   // TDX: 12 hex digits
  std::string pck_ca;  // TDX: "platform" or "processor"
  Bytes root;          // TDX: the root certificate in DER that the quote carries, where verified
  SnpProduct product = SnpProduct::kUnknown;
  std::string hwid;  // SNP: hex as KDS wants it (16 digits on Turin, else 128)
  SnpTcb tcb;        // SNP: REPORTED_TCB
  bool vlek = false;
};
Result<CollateralNeed> NeedOf(const Evidence& evidence);

// When the collateral ends: the earliest nextUpdate and notAfter in it. Nothing is verified.
struct CollateralDates {
  int64_t issued = 0;                 // the latest issueDate or thisUpdate
  int64_t next_update = 0;            // the earliest nextUpdate of documents and CRLs
  int64_t not_after = 0;              // the earliest end of a certificate
  int64_t tcb_evaluation_number = 0;  // TDX: the lower of both documents; SNP: 0
};
Result<CollateralDates> DatesOf(const Collateral& collateral);

}  // namespace cce::attest
