#include "sim/tcb_documents.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "base/bytes.h"
#include "base/json.h"
#include "sim/platform.h"

namespace cce::sim {
namespace {

json::array Components(const ByteArray<16>& svns) {
  json::array out;
  for (const uint8_t svn : svns) out.push_back(json::object{{"svn", svn}});
  return out;
}

void AddVerdict(json::object& level, std::string_view date, std::string_view status,
                std::string_view advisory) {
  level["tcbDate"] = date;
  level["tcbStatus"] = status;
  if (!advisory.empty()) level["advisoryIDs"] = json::array{advisory};
}

json::object PlatformLevel(const PlatformTcb& tcb, std::string_view date, std::string_view status,
                           std::string_view advisory) {
  json::object level{{"tcb", json::object{{"sgxtcbcomponents", Components(tcb.sgx)},
                                          {"pcesvn", tcb.pcesvn},
                                          {"tdxtcbcomponents", Components(tcb.tdx)}}}};
  AddVerdict(level, date, status, advisory);
  return level;
}

json::object EnclaveLevel(unsigned isvsvn, std::string_view date, std::string_view status,
                          std::string_view advisory) {
  json::object level{{"tcb", json::object{{"isvsvn", isvsvn}}}};
  AddVerdict(level, date, status, advisory);
  return level;
}

json::object ModuleIdentity(std::string_view id) {
  return {
      {"id", id},
      {"mrsigner", std::string(96, '0')},
      {"attributes", std::string(16, '0')},
      {"attributesMask", std::string(16, 'F')},
      {"tcbLevels", json::array{EnclaveLevel(kModuleSvn, kCurrentTcbDate, "UpToDate", ""),
                                EnclaveLevel(2, kOldTcbDate, "OutOfDate", kOldModuleAdvisory)}}};
}

}  // namespace

std::string UpperHex(ByteView bytes) {
  std::string out = ToHex(bytes);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c; });
  return out;
}

std::string TcbInfoDocument(const CollateralSpec& spec) {
  static_assert(kModuleMajor == 1, "the identity of the platform's module is TDX_01");
  return ToJson(json::object{
      {"id", "TDX"},
      {"version", 3},
      {"issueDate", FormatTime(spec.tcb_info.from)},
      {"nextUpdate", FormatTime(spec.tcb_info.until)},
      {"fmspc", UpperHex(spec.fmspc)},
      {"pceId", UpperHex(kPceId)},
      {"tcbType", 0},
      {"tcbEvaluationDataNumber", kTcbEvaluationDataNumber},
      {"tdxModule", json::object{{"mrsigner", std::string(96, '0')},
                                 {"attributes", std::string(16, '0')},
                                 {"attributesMask", std::string(16, 'F')}}},
      {"tdxModuleIdentities", json::array{ModuleIdentity("TDX_03"), ModuleIdentity("TDX_01")}},
      {"tcbLevels",
       json::array{PlatformLevel(kCurrentTcb, kCurrentTcbDate, "UpToDate", ""),
                   PlatformLevel(kOldTcb, kOldTcbDate, "OutOfDate", kOldTcbAdvisory)}}});
}

std::string QeIdentityDocument(const CollateralSpec& spec) {
  // The mask leaves MODE64BIT (bit 2) open and compares all other flags; XFRM is not compared.
  ByteArray<16> mask{};
  std::fill_n(mask.begin(), 8, uint8_t{0xFF});
  mask[0] = 0xFB;
  ByteArray<16> attributes{};
  for (size_t i = 0; i < attributes.size(); ++i) attributes[i] = kQeAttributes[i] & mask[i];
  return ToJson(json::object{
      {"id", spec.qe_id},
      {"version", 2},
      {"issueDate", FormatTime(spec.qe_identity.from)},
      {"nextUpdate", FormatTime(spec.qe_identity.until)},
      {"tcbEvaluationDataNumber", kTcbEvaluationDataNumber},
      {"miscselect", "00000000"},
      {"miscselectMask", "FFFFFFFF"},
      {"attributes", UpperHex(attributes)},
      {"attributesMask", UpperHex(mask)},
      {"mrsigner", UpperHex(QeSigner())},
      {"isvprodid", kQeProdId},
      {"tcbLevels", json::array{EnclaveLevel(kQeSvn, kCurrentTcbDate, "UpToDate", ""),
                                EnclaveLevel(1, kOldTcbDate, "OutOfDate", kOldQeAdvisory)}}});
}

}  // namespace cce::sim
