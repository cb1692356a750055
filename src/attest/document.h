// One document of collateral by itself, for those who fetch and keep collateral: is it genuine and
// in force, what is it for, is it older than another? The checks are the collateral stage's own
// (tdx_trust.cc, snp_trust.cc), made under the issuer chain that came with the document; whether
// evidence is believed is decided by `Verify` alone, which makes them all again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attest/collateral.h"
#include "attest/policy.h"
#include "base/clock.h"

namespace cce::attest {

enum class DocumentKind { kTcbInfo, kQeIdentity, kPckCrl, kRootCrl, kSnpChain, kSnpCrl, kVek };
std::string_view KindName(DocumentKind kind);  // "tcb_info", "qe_identity", "pck_crl", ...
std::optional<DocumentKind> KindFromName(std::string_view name);

struct CollateralDocument {
  DocumentKind kind = DocumentKind::kTcbInfo;
  Bytes body;                // as signed: a document's text, a CRL or VEK in DER; kSnpChain: empty
  Bytes signature;           // TCB info, QE identity: 64 bytes
  std::vector<Bytes> chain;  // DER: its issuers and their root (ARK), in any order
};

struct DocumentFacts {
  // What it is for: FMSPC (12 hex digits); "td_qe"; "platform" or "processor"; "root"; SNP:
  // "Milan/vcek", "Milan/vlek" (chain), "Milan" (CRL), VekSubject (VEK).
  std::string subject;
  std::string root;  // name of the root that its chain ends in
  bool development = false;
  UnixSeconds from = 0;   // it and its issuers all hold from then
  UnixSeconds until = 0;  // until then, inclusive
  UnixSeconds issued = 0;
  UnixSeconds next_update = 0;     // 0: it has none (certificates)
  uint64_t evaluation_number = 0;  // TCB info, QE identity
  Bytes crl_number;                // magnitude; empty: none
};

// Errors: the failed rule's code (evidence.*), with what was expected and found. `authority_crl`:
// the CRL of the root in DER, taken before, or empty: what it revokes may not sign documents.
Result<DocumentFacts> VerifyDocument(const CollateralDocument& document,
                                     const std::vector<TrustedRoot>& roots, UnixSeconds time,
                                     ByteView authority_crl = {});

// Why `next` must not replace `kept`: it is older by issue date, evaluation number or CRL number.
// Empty where it may.
std::string OlderThan(const DocumentFacts& next, const DocumentFacts& kept);

// A set taken apart, each document with its chain; the root CRL first. What a set leaves out is
// left out: a PCK CRL without its issuer chain, too.
std::vector<CollateralDocument> DocumentsOf(const Collateral& collateral);
// The other way: puts a document into a set.
void AddTo(Collateral& collateral, const CollateralDocument& document);

// Which document evidence needs.
struct DocumentKey {
  DocumentKind kind = DocumentKind::kTcbInfo;
  std::string subject;
  auto operator<=>(const DocumentKey&) const = default;
};
std::string ToString(const DocumentKey& key);  // "tcb_info b0c06f000000"
// In the order in which they can be verified. `with_vek`: the VEK, too.
std::vector<DocumentKey> KeysOf(const CollateralNeed& need, bool with_vek);
std::string VekSubject(SnpProduct product, const SnpTcb& tcb, std::string_view hwid);

// NeedOf, once the PCK chain of a TDX quote was verified to end in one of `roots` at `time`: so
// that nobody without a genuine platform can have documents of his choice fetched. An SNP report
// proves nothing before its VEK is known. Errors: as VerifyDocument; collateral.malformed.
Result<CollateralNeed> GenuineNeedOf(const Evidence& evidence,
                                     const std::vector<TrustedRoot>& roots, UnixSeconds time);

}  // namespace cce::attest
