#include "attest/little_endian.h"
#include "attest/snp_layout.h"
#include "attest/tdx_layout.h"
#include "attest/types.h"

namespace cce::attest {
namespace {

constexpr size_t kMaxEvidence = 512 << 10;

Unexpected Malformed(std::string what) { return Fail("evidence.malformed", std::move(what)); }

bool LooksLikeTdx(ByteView bytes) {
  return bytes.size() >= tdx::kHeaderSize &&
         (LoadU16(bytes.data()) == tdx::kVersion4 || LoadU16(bytes.data()) == tdx::kVersion5) &&
         LoadU32(bytes.data() + tdx::kTeeType.offset) == tdx::kTeeTypeTdx;
}

bool LooksLikeSnp(ByteView bytes) {
  return bytes.size() >= snp::kReportSize && LoadU32(bytes.data()) >= 1 &&
         LoadU32(bytes.data()) <= 64 &&
         LoadU32(bytes.data() + snp::kSignatureAlgo.offset) == snp::kEcdsaP384Sha384;
}

EvidenceForm Detect(ByteView bytes) {
  if (AsText(bytes.first(std::min(bytes.size(), snp::kHclMagic.size()))) == snp::kHclMagic) {
    return EvidenceForm::kAzureHcl;
  }
  if (LooksLikeTdx(bytes)) return EvidenceForm::kTdxQuote;
  if (bytes.size() == snp::kReportSize) return EvidenceForm::kSnpReport;
  if (LooksLikeSnp(bytes)) return EvidenceForm::kSnpWithTable;
  if (bytes.size() == snp::kExtendedReportSize) return EvidenceForm::kSnpExtendedReport;
  return EvidenceForm::kTdxQuote;
}

Result<> ReadHcl(ByteView bytes, Evidence& out) {
  if (bytes.size() < snp::kHclRuntimeOffset + snp::kHclRuntimeHeaderSize) {
    return Malformed("an Azure HCL report is cut short");
  }
  const uint8_t* runtime = bytes.data() + snp::kHclRuntimeOffset;
  const uint32_t kind = LoadU32(runtime + 8);
  if (kind != 2) {
    return Fail(
        MakeError("evidence.unsupported", "an Azure HCL report holds another hardware report")
            .Expected("2 (SEV-SNP)")
            .Found(kind == 4 ? "4 (a TDREPORT, which only its own machine can check)"
                             : std::to_string(kind)));
  }
  const uint32_t hash = LoadU32(runtime + 12);
  if (hash != 1)
    return Malformed("an Azure HCL report's runtime data has another hash than SHA-256");
  const uint32_t size = LoadU32(runtime + 16);
  const size_t start = snp::kHclRuntimeOffset + snp::kHclRuntimeHeaderSize;
  if (size > bytes.size() - start)
    return Malformed("an Azure HCL report's runtime data is cut short");
  out.azure_runtime_data = bytes.subspan(start, size);
  ASSIGN_OR_RETURN(out.snp, ParseSnpReport(bytes.subspan(snp::kHclReportOffset, snp::kReportSize)));
  return {};
}

Result<> ReadExtended(ByteView bytes, Evidence& out) {
  if (bytes.size() != snp::kExtendedReportSize) {
    return Malformed("an extended report message has not 4000 bytes");
  }
  const uint32_t status = LoadU32(bytes.data());
  const uint32_t size = LoadU32(bytes.data() + 4);
  if (status != 0 || size != snp::kReportSize) {
    return Malformed("an extended report message states a failure or another size");
  }
  ASSIGN_OR_RETURN(out.snp,
                   ParseSnpReport(bytes.subspan(snp::kExtendedReportOffset, snp::kReportSize)));
  return {};
}

Result<> ReadWithTable(ByteView bytes, Evidence& out) {
  if (bytes.size() < snp::kReportSize) return Malformed("an SNP report is cut short");
  ASSIGN_OR_RETURN(out.snp, ParseSnpReport(bytes.first(snp::kReportSize)));
  ASSIGN_OR_RETURN(out.certificates, ParseCertificateTable(bytes.subspan(snp::kReportSize)));
  return {};
}

json::object TcbJson(const ByteArray<8>& raw, SnpProduct product) {
  const SnpTcb tcb = DecodeTcb(raw, product);
  json::object out;
  if (product == SnpProduct::kTurin) out["fmc"] = tcb.fmc;
  out["bootloader"] = tcb.bootloader;
  out["tee"] = tcb.tee;
  out["snp"] = tcb.snp;
  out["microcode"] = tcb.microcode;
  out["raw"] = ToHex(raw);
  return out;
}

json::object SnpFields(const SnpReport& r) {
  const SnpProduct product = r.product();
  const auto bit = [&](uint64_t mask) { return (r.policy & mask) != 0; };
  const auto version = [](const ByteArray<3>& v) {
    return std::to_string(v[2]) + "." + std::to_string(v[1]) + "." + std::to_string(v[0]);
  };
  return {
      {"version", r.version},
      {"product", ProductName(product)},
      {"cpuid", ToHex(r.cpuid)},
      {"guest_svn", r.guest_svn},
      {"policy", HexOfU64(r.policy)},
      {"policy_abi",
       std::to_string((r.policy >> 8) & 0xff) + "." + std::to_string(r.policy & 0xff)},
      {"policy_smt", bit(snp::kPolicySmt)},
      {"policy_migrate_ma", bit(snp::kPolicyMigrateMa)},
      {"policy_debug", bit(snp::kPolicyDebug)},
      {"policy_single_socket", bit(snp::kPolicySingleSocket)},
      {"family_id", ToHex(r.family_id)},
      {"image_id", ToHex(r.image_id)},
      {"vmpl", r.vmpl},
      {"signature_algo", r.signature_algo},
      {"signing_key", r.signing_key()},
      {"author_key_en", (r.flags & snp::kAuthorKeyEn) != 0},
      {"mask_chip_key", (r.flags & snp::kMaskChipKey) != 0},
      {"platform_info", HexOfU64(r.platform_info)},
      {"report_data", ToHex(r.report_data)},
      {"measurement", ToHex(r.measurement)},
      {"host_data", ToHex(r.host_data)},
      {"id_key_digest", ToHex(r.id_key_digest)},
      {"author_key_digest", ToHex(r.author_key_digest)},
      {"report_id", ToHex(r.report_id)},
      {"report_id_ma", ToHex(r.report_id_ma)},
      {"chip_id", ToHex(r.chip_id)},
      {"reported_tcb", TcbJson(r.reported_tcb, product)},
      {"committed_tcb", TcbJson(r.committed_tcb, product)},
      {"current_tcb", TcbJson(r.current_tcb, product)},
      {"launch_tcb", TcbJson(r.launch_tcb, product)},
      {"current_firmware", version(r.current_version)},
      {"committed_firmware", version(r.committed_version)},
      {"launch_mitigation", HexOfU64(r.launch_mitigation)},
      {"current_mitigation", HexOfU64(r.current_mitigation)},
  };
}

json::object TdxFields(const TdxQuote& q) {
  const TdBody& b = q.body;
  json::object out{
      {"version", q.version},
      {"body", b.td15 ? "TD 1.5" : "TD 1.0"},
      {"attestation_key_type", q.attestation_key_type},
      {"tee_type", q.tee_type},
      {"qe_svn", q.qe_svn},
      {"pce_svn", q.pce_svn},
      {"qe_vendor", ToHex(q.qe_vendor)},
      {"user_data", ToHex(q.user_data)},
      {"tee_tcb_svn", ToHex(b.tee_tcb_svn)},
      {"mrseam", ToHex(b.mrseam)},
      {"mrsignerseam", ToHex(b.mrsignerseam)},
      {"seam_attributes", ToHex(b.seam_attributes)},
      {"td_attributes", HexOfU64(b.td_attributes)},
      {"xfam", HexOfU64(b.xfam)},
      {"mrtd", ToHex(b.mrtd)},
      {"mrconfigid", ToHex(b.mrconfigid)},
      {"mrowner", ToHex(b.mrowner)},
      {"mrownerconfig", ToHex(b.mrownerconfig)},
  };
  for (size_t i = 0; i < b.rtmr.size(); ++i) out["rtmr" + std::to_string(i)] = ToHex(b.rtmr[i]);
  out["report_data"] = ToHex(b.report_data);
  if (b.td15) {
    out["tee_tcb_svn2"] = ToHex(b.tee_tcb_svn2);
    out["mrservicetd"] = ToHex(b.mrservicetd);
  }
  out["td_debug"] = (b.td_attributes & tdx::kTdTudMask) != 0;
  out["td_sept_ve_disable"] = (b.td_attributes & tdx::kTdSeptVeDisable) != 0;
  out["qe_isvsvn"] = q.qe_report.isvsvn;
  out["qe_isvprodid"] = q.qe_report.isvprodid;
  out["qe_mrsigner"] = ToHex(q.qe_report.mrsigner);
  out["qe_mrenclave"] = ToHex(q.qe_report.mrenclave);
  out["trailing_bytes"] = q.trailing;
  return out;
}

}  // namespace

std::string_view TeeName(Tee tee) { return tee == Tee::kTdx ? "tdx" : "snp"; }

std::string_view FormName(EvidenceForm form) {
  switch (form) {
    case EvidenceForm::kAuto:
      return "auto";
    case EvidenceForm::kTdxQuote:
      return "tdx-quote";
    case EvidenceForm::kSnpReport:
      return "snp-report";
    case EvidenceForm::kSnpExtendedReport:
      return "snp-extended-report";
    case EvidenceForm::kSnpWithTable:
      return "snp-report-with-table";
    case EvidenceForm::kAzureHcl:
      return "azure-hcl";
  }
  return "unknown";
}

ByteView Evidence::report_data() const {
  if (tdx) return tdx->body.report_data;
  if (snp) return snp->report_data;
  return {};
}

Result<Evidence> ParseEvidence(ByteView bytes, EvidenceForm form) {
  if (bytes.size() > kMaxEvidence) {
    return Malformed("evidence of " + std::to_string(bytes.size()) + " bytes is too large");
  }
  Evidence out;
  out.raw = std::make_shared<const Bytes>(bytes.begin(), bytes.end());
  const ByteView own = *out.raw;
  out.form = form == EvidenceForm::kAuto ? Detect(own) : form;
  out.tee = out.form == EvidenceForm::kTdxQuote ? Tee::kTdx : Tee::kSnp;
  switch (out.form) {
    case EvidenceForm::kAuto:
    case EvidenceForm::kTdxQuote: {
      ASSIGN_OR_RETURN(out.tdx, ParseTdxQuote(own));
      break;
    }
    case EvidenceForm::kSnpReport: {
      ASSIGN_OR_RETURN(out.snp, ParseSnpReport(own));
      break;
    }
    case EvidenceForm::kSnpExtendedReport:
      TRY(ReadExtended(own, out));
      break;
    case EvidenceForm::kSnpWithTable:
      TRY(ReadWithTable(own, out));
      break;
    case EvidenceForm::kAzureHcl:
      TRY(ReadHcl(own, out));
      break;
  }
  return out;
}

Result<> AttachCertificateTable(Evidence& evidence, ByteView table) {
  if (evidence.tee != Tee::kSnp) {
    return Fail("evidence.unsupported", "a certificate table belongs to an SNP report");
  }
  ASSIGN_OR_RETURN(evidence.certificates, ParseCertificateTable(table));
  return {};
}

json::object FieldsOf(const Evidence& evidence) {
  json::object out{{"tee", TeeName(evidence.tee)}, {"form", FormName(evidence.form)}};
  const json::object fields = evidence.tdx   ? TdxFields(*evidence.tdx)
                              : evidence.snp ? SnpFields(*evidence.snp)
                                             : json::object{};
  for (const auto& member : fields) out[member.key()] = member.value();
  return out;
}

}  // namespace cce::attest
