#include "attest/little_endian.h"
#include "attest/tdx_layout.h"
#include "attest/types.h"

namespace cce::attest {
namespace {

Unexpected Malformed(std::string what, size_t expected, size_t found) {
  return Fail(MakeError("evidence.malformed", std::move(what))
                  .Expected(std::to_string(expected) + " bytes")
                  .Found(std::to_string(found) + " bytes"));
}

Unexpected Unsupported(std::string what, std::string expected, std::string found) {
  return Fail(MakeError("evidence.unsupported", std::move(what))
                  .Expected(std::move(expected))
                  .Found(std::move(found)));
}

TdBody ReadBody(ByteView body, bool td15) {
  TdBody out;
  out.td15 = td15;
  CopyField(body, tdx::kTeeTcbSvn, out.tee_tcb_svn);
  CopyField(body, tdx::kMrSeam, out.mrseam);
  CopyField(body, tdx::kMrSignerSeam, out.mrsignerseam);
  CopyField(body, tdx::kSeamAttributes, out.seam_attributes);
  out.td_attributes = LoadU64(body.data() + tdx::kTdAttributes.offset);
  out.xfam = LoadU64(body.data() + tdx::kXfam.offset);
  CopyField(body, tdx::kMrTd, out.mrtd);
  CopyField(body, tdx::kMrConfigId, out.mrconfigid);
  CopyField(body, tdx::kMrOwner, out.mrowner);
  CopyField(body, tdx::kMrOwnerConfig, out.mrownerconfig);
  for (size_t i = 0; i < tdx::kRtmrCount; ++i) {
    CopyField(body, tdx::Span{tdx::kRtmr0.offset + i * tdx::kRtmr0.size, tdx::kRtmr0.size},
              out.rtmr[i]);
  }
  CopyField(body, tdx::kReportData, out.report_data);
  if (td15) {
    CopyField(body, tdx::kTeeTcbSvn2, out.tee_tcb_svn2);
    CopyField(body, tdx::kMrServiceTd, out.mrservicetd);
  }
  return out;
}

QeReport ReadQeReport(ByteView bytes) {
  QeReport out;
  CopyField(bytes, tdx::kQeCpuSvn, out.cpusvn);
  out.miscselect = LoadU32(bytes.data() + tdx::kQeMiscSelect.offset);
  CopyField(bytes, tdx::kQeAttributes, out.attributes);
  CopyField(bytes, tdx::kQeMrEnclave, out.mrenclave);
  CopyField(bytes, tdx::kQeMrSigner, out.mrsigner);
  out.isvprodid = LoadU16(bytes.data() + tdx::kQeIsvProdId.offset);
  out.isvsvn = LoadU16(bytes.data() + tdx::kQeIsvSvn.offset);
  CopyField(bytes, tdx::kQeReportData, out.report_data);
  return out;
}

// A cursor over little-endian parts whose lengths the evidence itself states.
class Cursor {
 public:
  explicit Cursor(ByteView bytes) : rest_(bytes) {}
  Result<ByteView> Take(size_t n, const char* what) {
    if (n > rest_.size()) return Malformed(std::string(what) + " is cut short", n, rest_.size());
    const ByteView out = rest_.first(n);
    rest_ = rest_.subspan(n);
    return out;
  }
  Result<uint16_t> U16(const char* what) {
    ASSIGN_OR_RETURN(const ByteView bytes, Take(2, what));
    return LoadU16(bytes.data());
  }
  Result<uint32_t> U32(const char* what) {
    ASSIGN_OR_RETURN(const ByteView bytes, Take(4, what));
    return LoadU32(bytes.data());
  }
  // A part that must end where its envelope ends.
  Result<> ExpectEnd(const char* what) const {
    if (rest_.empty()) return {};
    return Malformed(std::string(what) + " is shorter than its envelope", 0, rest_.size());
  }
  ByteView rest() const { return rest_; }

 private:
  ByteView rest_;
};

// Why types other than 5 are refused, by name (DCAP quote generation library, certification data
// types).
std::string CertDataName(uint16_t type) {
  switch (type) {
    case 1:
      return "1 (PPID in the clear)";
    case 2:
      return "2 (PPID encrypted, RSA-2048)";
    case 3:
      return "3 (PPID encrypted, RSA-3072)";
    case 4:
      return "4 (PCK leaf alone)";
    case 5:
      return "5 (PCK chain)";
    case 6:
      return "6 (QE report certification data)";
    case 7:
      return "7 (platform manifest)";
    default:
      return std::to_string(type) + " (unknown)";
  }
}

Result<> ReadQeCertification(ByteView bytes, TdxQuote& out) {
  Cursor in(bytes);
  ASSIGN_OR_RETURN(out.qe_report_bytes, in.Take(tdx::kQeReportSize, "the QE report"));
  ASSIGN_OR_RETURN(out.qe_signature, in.Take(tdx::kSignatureSize, "the QE report's signature"));
  ASSIGN_OR_RETURN(const uint16_t auth_size, in.U16("the QE authentication data's length"));
  ASSIGN_OR_RETURN(out.qe_auth, in.Take(auth_size, "the QE authentication data"));
  ASSIGN_OR_RETURN(const uint16_t type, in.U16("the certification data's type"));
  ASSIGN_OR_RETURN(const uint32_t size, in.U32("the certification data's length"));
  if (type != tdx::kCertDataPckChain) {
    return Unsupported("the quote carries no PCK certificate chain", CertDataName(5),
                       CertDataName(type));
  }
  ASSIGN_OR_RETURN(out.pck_chain_pem, in.Take(size, "the PCK certificate chain"));
  TRY(in.ExpectEnd("the QE report certification data"));
  out.qe_report = ReadQeReport(out.qe_report_bytes);
  return {};
}

Result<> ReadSignatureData(ByteView bytes, TdxQuote& out) {
  Cursor in(bytes);
  ASSIGN_OR_RETURN(out.signature, in.Take(tdx::kSignatureSize, "the quote's signature"));
  ASSIGN_OR_RETURN(out.attestation_key, in.Take(tdx::kAttestationKeySize, "the attestation key"));
  ASSIGN_OR_RETURN(const uint16_t type, in.U16("the certification data's type"));
  ASSIGN_OR_RETURN(const uint32_t size, in.U32("the certification data's length"));
  if (type != tdx::kCertDataQeReport) {
    return Unsupported("the quote's certification data is of another type", CertDataName(6),
                       CertDataName(type));
  }
  ASSIGN_OR_RETURN(const ByteView data, in.Take(size, "the certification data"));
  TRY(in.ExpectEnd("the signature data"));
  return ReadQeCertification(data, out);
}

Result<> ReadHeader(ByteView header, TdxQuote& out) {
  out.version = LoadU16(header.data() + tdx::kVersion.offset);
  out.attestation_key_type = LoadU16(header.data() + tdx::kAttestationKeyType.offset);
  out.tee_type = LoadU32(header.data() + tdx::kTeeType.offset);
  out.qe_svn = LoadU16(header.data() + tdx::kQeSvn.offset);
  out.pce_svn = LoadU16(header.data() + tdx::kPceSvn.offset);
  CopyField(header, tdx::kQeVendor, out.qe_vendor);
  CopyField(header, tdx::kUserData, out.user_data);
  if (out.version != tdx::kVersion4 && out.version != tdx::kVersion5) {
    return Unsupported("the quote is of another version", "4 or 5", std::to_string(out.version));
  }
  if (out.tee_type != tdx::kTeeTypeTdx) {
    return Unsupported("the quote is of another TEE", "0x81 (TDX)",
                       out.tee_type == tdx::kTeeTypeSgx ? "0 (SGX)" : std::to_string(out.tee_type));
  }
  if (out.attestation_key_type != tdx::kEcdsaP256) {
    return Unsupported("the quote's attestation key is of another type", "2 (ECDSA P-256)",
                       std::to_string(out.attestation_key_type));
  }
  return {};
}

// The body's kind and size: fixed in version 4, stated by the descriptor in version 5.
Result<bool> ReadBodyKind(Cursor& in, uint16_t version) {
  if (version == tdx::kVersion4) return false;
  ASSIGN_OR_RETURN(const uint16_t type, in.U16("the body descriptor"));
  ASSIGN_OR_RETURN(const uint32_t size, in.U32("the body descriptor"));
  if (type != tdx::kBodyTypeTd10 && type != tdx::kBodyTypeTd15) {
    return Unsupported("the quote's body is of another type", "2 (TD 1.0) or 3 (TD 1.5)",
                       std::to_string(type));
  }
  const bool td15 = type == tdx::kBodyTypeTd15;
  const size_t expected = td15 ? tdx::kTd15Size : tdx::kTd10Size;
  if (size != expected) return Malformed("the body descriptor states another size", expected, size);
  return td15;
}

}  // namespace

Result<TdxQuote> ParseTdxQuote(ByteView bytes) {
  if (bytes.size() > tdx::kMaxQuoteSize) {
    return Malformed("a quote is too large", tdx::kMaxQuoteSize, bytes.size());
  }
  TdxQuote out;
  Cursor in(bytes);
  ASSIGN_OR_RETURN(const ByteView header, in.Take(tdx::kHeaderSize, "the quote's header"));
  TRY(ReadHeader(header, out));
  ASSIGN_OR_RETURN(const bool td15, ReadBodyKind(in, out.version));
  ASSIGN_OR_RETURN(const ByteView body,
                   in.Take(td15 ? tdx::kTd15Size : tdx::kTd10Size, "the quote's body"));
  out.body = ReadBody(body, td15);
  out.signed_bytes = bytes.first(bytes.size() - in.rest().size());
  ASSIGN_OR_RETURN(const uint32_t size, in.U32("the signature data's length"));
  ASSIGN_OR_RETURN(const ByteView signature_data, in.Take(size, "the signature data"));
  TRY(ReadSignatureData(signature_data, out));
  out.trailing = in.rest().size();
  out.trailing_nonzero = !AllZero(in.rest());
  return out;
}

}  // namespace cce::attest
