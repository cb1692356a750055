#include "sim/seeds.h"

#include "base/file.h"
#include "base/json.h"
#include "crypto/hash.h"
#include "sim/certificates.h"
#include "sim/snp_report.h"
#include "sim/tdx_quote.h"

namespace cce::sim {
namespace {

class Writer {
 public:
  explicit Writer(std::string folder) : folder_(std::move(folder)) {}
  Result<> operator()(const std::string& target, const std::string& name, ByteView bytes) const {
    TRY(MakeFolders(folder_ + "/" + target));
    return WriteFileAtomic(folder_ + "/" + target + "/" + name, bytes);
  }

 private:
  const std::string folder_;
};

void AppendLe(Bytes& out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

// Of a version 4 quote: what its length at 632 states.
ByteView SignatureData(ByteView quote) {
  constexpr size_t kLength = 48 + 584;
  size_t size = 0;
  for (size_t i = 4; i > 0; --i) size = size << 8 | quote[kLength + i - 1];
  return quote.subspan(kLength + 4, size);
}

// A TCG2 log of two events (TCG PC Client Platform Firmware Profile, section 10): RTMR1, RTMR2.
Bytes Ccel() {
  constexpr std::string_view kSignature = "Spec ID Event03";
  Bytes header = ToBytes(kSignature);
  AppendLe(header, 0, 1 + 4);     // the signature's end, platform class
  AppendLe(header, 0x020200, 4);  // minor, major, errata, size of a UINTN
  header.back() = 2;
  AppendLe(header, 1, 4);  // one algorithm: SHA-384
  AppendLe(header, 12, 2);
  AppendLe(header, 48, 2);
  AppendLe(header, 0, 1);
  Bytes out;
  AppendLe(out, 0, 4);
  AppendLe(out, 3, 4);  // EV_NO_ACTION
  out.insert(out.end(), 20, 0);
  AppendLe(out, header.size(), 4);
  Append(out, header);
  for (const uint32_t rtmr : {2, 3}) {  // index 0 is MRTD
    constexpr std::string_view kEvent = "a measured file";
    AppendLe(out, rtmr, 4);
    AppendLe(out, 13, 4);  // EV_IPL
    AppendLe(out, 1, 4);
    AppendLe(out, 12, 2);
    Append(out, crypto::Sha384(AsBytes(kEvent)));
    AppendLe(out, kEvent.size(), 4);
    Append(out, AsBytes(kEvent));
  }
  return out;
}

std::string DstackLog() {
  return ToJson(json::array{json::object{{"imr", 3},
                                         {"event_type", 134217729},
                                         {"digest", ToHex(crypto::Sha384(AsBytes("event")))},
                                         {"event", "app-id"},
                                         {"event_payload", "c0ce"}}});
}

Result<> WriteTdx(const Writer& write, const Chip& chip) {
  for (const Defect& defect : AllDefects()) {
    const TdxQuoteSource source(chip, {}, defect);
    ASSIGN_OR_RETURN(const Bytes quote, source.NewReport(Bytes(64)));
    const std::string name = "sim-" + std::string(defect.name);
    TRY(write("fuzz_evidence", name, quote));
    TRY(write("fuzz_tdx_quote", name, quote));
    if (defect.quote_version == 4) TRY(write("fuzz_signature_data", name, SignatureData(quote)));
  }
  const TdxDocuments& documents = chip.documents();
  TRY(write("fuzz_tcb_info", "sim", AsBytes(documents.tcb_info)));
  TRY(write("fuzz_qe_identity", "sim", AsBytes(documents.qe_identity)));
  TRY(write("fuzz_collateral", "sim-tdx", AsBytes(ToJson(chip.Bundle(documents)))));
  TRY(write("fuzz_crl", "sim-root", documents.root_crl));
  TRY(write("fuzz_crl", "sim-pck", documents.pck_crl));
  TRY(write("fuzz_crl", "sim-pem", AsBytes(CrlToPem(documents.pck_crl))));
  TRY(write("fuzz_extensions", "sim-chain", AsBytes(chip.PckChain(Pck::kCurrent))));
  return write("fuzz_extensions", "sim-root", chip.root_certificate());
}

Result<> WriteSnp(const Writer& write, const SnpChip& chip, const Clock& clock) {
  const std::string product(chip.product().name);
  for (const SnpDefect& defect : AllSnpDefects()) {
    const SnpReportSource source(chip, {}, defect);
    ASSIGN_OR_RETURN(Bytes report, source.NewReport(Bytes(64)));
    const std::string name = "sim-" + product + "-" + std::string(defect.name);
    TRY(write("fuzz_snp_report", name, report));
    Append(report, source.Auxiliary());
    TRY(write("fuzz_evidence", name, report));
  }
  for (const auto& [name, vek] : {std::pair{"vcek", Vek::kCurrent}, {"vlek", Vek::kVlek}}) {
    TRY(write("fuzz_certificate_table", "sim-" + product + "-" + name, chip.CertificateTable(vek)));
    TRY(write("fuzz_extensions", "sim-" + product + "-" + name, chip.Certificate(vek)));
  }
  ASSIGN_OR_RETURN(const Bytes crl, chip.NewCrl(CollateralSpec::At(clock.Now())));
  TRY(write("fuzz_crl", "sim-" + product, crl));
  return write("fuzz_collateral", "sim-" + product, AsBytes(ToJson(chip.Bundle(crl))));
}

}  // namespace

Result<> WriteSeeds(const std::string& folder, const Clock& clock) {
  const Writer write(folder);
  const std::string state = folder + "/chip";
  ASSIGN_OR_RETURN(const Chip chip, Chip::Open(state, clock));
  TRY(WriteTdx(write, chip));
  for (const std::string product : {"Milan", "Turin"}) {
    ASSIGN_OR_RETURN(const SnpChip snp, SnpChip::Open(SnpFolder(state, product), product, clock));
    TRY(WriteSnp(write, snp, clock));
  }
  TRY(write("fuzz_event_log", "sim-ccel", Ccel()));
  return write("fuzz_event_log", "sim-dstack", AsBytes(DstackLog()));
}

}  // namespace cce::sim
