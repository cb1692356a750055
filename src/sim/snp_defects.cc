#include "sim/find_named.h"
#include "sim/snp_report.h"

namespace cce::sim {
namespace {

constexpr SnpDefect kDefects[] = {
    {.name = "", .meaning = "no defect"},
    {.name = "debug-guest",
     .meaning = "the guest's policy allows debugging",
     .change = [](SnpReport& r) { r.policy |= uint64_t{1} << 19; }},
    {.name = "migration-agent",
     .meaning = "the guest's policy allows a migration agent",
     .change = [](SnpReport& r) { r.policy |= uint64_t{1} << 18; }},
    {.name = "reserved-policy",
     .meaning = "the guest's policy has a bit that means nothing yet",
     .change = [](SnpReport& r) { r.policy |= uint64_t{1} << 40; }},
    {.name = "no-smt-bit",
     .meaning = "the guest's policy lacks the bit that must be one",
     .change = [](SnpReport& r) { r.policy &= ~(uint64_t{1} << 17); }},
    {.name = "other-launch-digest",
     .meaning = "MEASUREMENT is not that of the files",
     .change = [](SnpReport& r) { r.measurement[0] ^= 1; }},
    {.name = "other-host-data",
     .meaning = "HOST_DATA is not that of the launch document",
     .change = [](SnpReport& r) { r.host_data[0] ^= 1; }},
    {.name = "wrong-report-data",
     .meaning = "REPORT_DATA differs from the inblob in its last bit",
     .change = [](SnpReport& r) { r.report_data.back() ^= 1; }},
    {.name = "bad-report-signature",
     .meaning = "the report's signature is broken",
     .break_signature = true},
    {.name = "wrong-algorithm",
     .meaning = "SIGNATURE_ALGO names another algorithm",
     .change = [](SnpReport& r) { r.signature_algorithm = 2; }},
    {.name = "old-firmware", .meaning = "all security versions are old", .vek = Vek::kOld},
    {.name = "other-tcb",
     .meaning = "REPORTED_TCB is not that of the VCEK",
     .change = [](SnpReport& r) { r.reported = kSnpOld; }},
    {.name = "uncommitted-tcb",
     .meaning = "REPORTED_TCB is above COMMITTED_TCB",
     .change = [](SnpReport& r) { r.committed = kSnpOld; }},
    {.name = "old-launch-tcb",
     .meaning = "the machine was started under old firmware",
     .change = [](SnpReport& r) { r.launch = kSnpOld; }},
    {.name = "revoked-vcek", .meaning = "the CRL lists the VCEK", .vek = Vek::kRevoked},
    {.name = "masked-chip-key",
     .meaning = "MASK_CHIP_KEY is set and the report is not signed",
     .change = [](SnpReport& r) { r.flags = 1u << 1 | 7u << 2; },
     .no_signature = true},
    {.name = "masked-chip-id",
     .meaning = "CHIP_ID is all zero under a VCEK",
     .change = [](SnpReport& r) { r.chip_id = {}; }},
    {.name = "other-chip-id",
     .meaning = "CHIP_ID is another chip's",
     .change = [](SnpReport& r) { r.chip_id[0] ^= 1; }},
    {.name = "other-signing-key",
     .meaning = "a report under a VCEK states a VLEK",
     .change = [](SnpReport& r) { r.flags = 1u << 2; }},
    {.name = "other-product",
     .meaning = "CPUID is that of no product",
     .change = [](SnpReport& r) { r.cpuid = {0x19, 0x77, 0}; }},
    {.name = "host-report",
     .meaning = "the host asked for the report",
     .change = [](SnpReport& r) { r.vmpl = 0xFFFFFFFF; }},
    {.name = "vmpl1",
     .meaning = "the report was asked for at VMPL 1",
     .change = [](SnpReport& r) { r.vmpl = 1; }},
    {.name = "reserved-set",
     .meaning = "a reserved field is not zero",
     .change = [](SnpReport& r) { r.reserved = 1; }},
    {.name = "early-mitigation",
     .meaning = "version 4 with a mitigation vector, which is reserved there",
     .change =
         [](SnpReport& r) {
           r.version = 4;
           r.launch_mitigation = 1;
         }},
    {.name = "unknown-version",
     .meaning = "the report's version is to come",
     .change = [](SnpReport& r) { r.version = 6; }},
    {.name = "no-certificates",
     .meaning = "the host has loaded no certificates",
     .no_certificates = true},
    {.name = "vlek", .meaning = "no defect: signed under a VLEK", .vek = Vek::kVlek},
    {.name = "snp-v2",
     .meaning = "no defect: a version 2 report",
     .change = [](SnpReport& r) { r.version = 2; }},
    {.name = "snp-v4",
     .meaning = "no defect: a version 4 report",
     .change = [](SnpReport& r) { r.version = 4; }},
    {.name = "snp-v5",
     .meaning = "no defect: a version 5 report with mitigation vectors",
     .change =
         [](SnpReport& r) {
           r.version = 5;
           r.launch_mitigation = r.current_mitigation = 3;
         }},
};

}  // namespace

std::span<const SnpDefect> AllSnpDefects() { return kDefects; }

Result<const SnpDefect*> FindSnpDefect(std::string_view name) {
  return FindNamed(std::span<const SnpDefect>(kDefects), name);
}

}  // namespace cce::sim
