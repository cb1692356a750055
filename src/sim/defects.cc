#include "sim/find_named.h"
#include "sim/platform.h"
#include "sim/tdx_quote.h"

namespace cce::sim {
namespace {

constexpr Defect kDefects[] = {
    {.name = "", .meaning = "no defect"},
    {.name = "debug-td",
     .meaning = "TDATTRIBUTES.DEBUG is set",
     .change_report = [](TdReport& r) { r.attributes |= 1; }},
    {.name = "no-sept-ve-disable",
     .meaning = "TDATTRIBUTES.SEPT_VE_DISABLE is clear",
     .change_report = [](TdReport& r) { r.attributes &= ~(uint64_t{1} << 28); }},
    {.name = "migratable",
     .meaning = "TDATTRIBUTES.MIGRATABLE is set",
     .change_report = [](TdReport& r) { r.attributes |= uint64_t{1} << 29; }},
    {.name = "other-mrtd",
     .meaning = "MRTD is not that of the files",
     .change_report = [](TdReport& r) { r.measurement.mrtd[0] ^= 1; }},
    {.name = "other-rtmr1",
     .meaning = "RTMR1 is not that of the files",
     .change_report = [](TdReport& r) { r.measurement.rtmr[1][0] ^= 1; }},
    {.name = "other-mrconfigid",
     .meaning = "MRCONFIGID is not that of the launch document",
     .change_report = [](TdReport& r) { r.measurement.mrconfigid[0] ^= 1; }},
    {.name = "wrong-report-data",
     .meaning = "REPORTDATA differs from the inblob in its last bit",
     .change_report = [](TdReport& r) { r.report_data.back() ^= 1; }},
    {.name = "bad-quote-signature",
     .meaning = "the attestation key's signature is broken",
     .break_quote_signature = true},
    {.name = "bad-qe-signature",
     .meaning = "the PCK's signature of the QE report is broken",
     .break_qe_signature = true},
    {.name = "out-of-date-tcb",
     .meaning = "the PCK certificate has old security versions",
     .pck = Pck::kOld},
    {.name = "out-of-date-module",
     .meaning = "the TDX module's security version is old",
     .change_report = [](TdReport& r) { r.tee_tcb_svn[0] = kOldModuleSvn; }},
    {.name = "out-of-date-qe",
     .meaning = "the quoting enclave's security version is old",
     .change_qe = [](QeReport& r) { r.isv_svn = kOldQeSvn; }},
    {.name = "revoked-pck", .meaning = "the PCK CRL lists the PCK", .pck = Pck::kRevoked},
    {.name = "wrong-qe",
     .meaning = "the quoting enclave has another signer",
     .change_qe = [](QeReport& r) { r.mr_signer[0] ^= 1; }},
    {.name = "debug-qe",
     .meaning = "the quoting enclave runs in debug mode",
     .change_qe = [](QeReport& r) { r.attributes[0] |= 2; }},
    {.name = "v5",
     .meaning = "no defect: a version 5 quote with a TD 1.5 body",
     .quote_version = 5},
    {.name = "relaunch",
     .meaning = "version 5: the machine was started under an old module that is updated since",
     .quote_version = 5,
     .change_report = [](TdReport& r) { r.tee_tcb_svn[0] = kOldModuleSvn; }},
    {.name = "service-td",
     .meaning = "version 5: a service TD is bound",
     .quote_version = 5,
     .change_report = [](TdReport& r) { r.mr_service_td.fill(0x5D); }},
};

}  // namespace

std::span<const Defect> AllDefects() { return kDefects; }

Result<const Defect*> FindDefect(std::string_view name) {
  return FindNamed(std::span<const Defect>(kDefects), name);
}

}  // namespace cce::sim
