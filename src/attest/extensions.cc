#include "attest/extensions.h"

#include "attest/der.h"
#include "attest/snp_layout.h"

namespace cce::attest {
namespace {

using der::Reader;

// 1.2.840.113741.1.13.1
constexpr ByteArray<9> kSgxOid = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

Unexpected Malformed(std::string what) {
  return Fail("collateral.malformed", std::move(what) + " does not have the prescribed form");
}

// One {OID, value} of the SGX extension: the arc after `prefix_size` octets, and a reader at the
// value.
bool TakePair(Reader& in, ByteView prefix, ByteView& arc, ByteView& rest) {
  ByteView content, oid, whole;
  if (!in.Take(der::kSequence, content)) return false;
  Reader pair(content);
  if (!pair.Take(der::kOid, oid, &whole)) return false;
  if (oid.size() <= prefix.size() || !Equal(oid.first(prefix.size()), prefix)) return false;
  arc = oid.subspan(prefix.size());
  rest = content.subspan(whole.size());
  return true;
}

template <size_t N>
bool ReadOctets(ByteView value, ByteArray<N>& out) {
  Reader in(value);
  ByteView octets;
  if (!in.Take(der::kOctetString, octets) || !in.AtEnd() || octets.size() != N) return false;
  std::copy(octets.begin(), octets.end(), out.begin());
  return true;
}

bool ReadTcb(ByteView value, PckExtension& out) {
  Reader outer(value);
  ByteView list;
  if (!outer.Take(der::kSequence, list) || !outer.AtEnd()) return false;
  Bytes prefix(kSgxOid.begin(), kSgxOid.end());
  prefix.push_back(2);
  Reader in(list);
  uint32_t seen = 0;
  while (!in.AtEnd()) {
    ByteView arc, rest;
    if (!TakePair(in, prefix, arc, rest) || arc.size() != 1 || arc[0] < 1 || arc[0] > 18) {
      return false;
    }
    const uint32_t bit = 1u << arc[0];
    if ((seen & bit) != 0) return false;
    seen |= bit;
    Reader element(rest);
    uint64_t number = 0;
    if (arc[0] == 18) {
      if (!ReadOctets(rest, out.cpusvn)) return false;
      continue;
    }
    if (!element.TakeUint(number, arc[0] == 17 ? 0xffff : 0xff) || !element.AtEnd()) return false;
    if (arc[0] == 17) {
      out.pcesvn = static_cast<uint16_t>(number);
    } else {
      out.components[arc[0] - 1] = static_cast<uint8_t>(number);
    }
  }
  return seen == 0x7fffe;  // bits 1..18
}

// An SPL: INTEGER 0..255 and nothing after it.
bool ReadSpl(const Certificate& vek, uint8_t number, uint8_t& out) {
  Bytes oid(snp::kOidPrefix.begin(), snp::kOidPrefix.end());
  oid.push_back(3);
  oid.push_back(number);
  const Extension* extension = vek.Find(oid);
  if (extension == nullptr) return false;
  Reader in(extension->value);
  uint64_t value = 0;
  if (!in.TakeUint(value, 0xff) || !in.AtEnd()) return false;
  out = static_cast<uint8_t>(value);
  return true;
}

const Extension* FindKds(const Certificate& vek, uint8_t number) {
  Bytes oid(snp::kOidPrefix.begin(), snp::kOidPrefix.end());
  oid.push_back(number);
  return vek.Find(oid);
}

bool ReadIa5(const Extension* extension, std::string& out) {
  if (extension == nullptr) return false;
  Reader in(extension->value);
  ByteView text;
  if (!in.Take(der::kIa5String, text) || !in.AtEnd() || text.empty() || text.size() > 256) {
    return false;
  }
  for (const uint8_t c : text) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  out = std::string(AsText(text));
  return true;
}

// "Milan-B0" and "Milan" name the product Milan; a stepping is one dash, a letter and a digit.
SnpProduct ProductOfExtension(std::string_view name, bool vlek) {
  std::string_view base = name;
  if (const size_t dash = name.find('-'); dash != std::string_view::npos) {
    if (vlek || name.size() != dash + 3) return SnpProduct::kUnknown;
    base = name.substr(0, dash);
  }
  for (const SnpProduct product : {SnpProduct::kMilan, SnpProduct::kGenoa, SnpProduct::kTurin}) {
    if (base == ProductName(product)) return product;
  }
  return SnpProduct::kUnknown;
}

}  // namespace

Result<PckExtension> ReadPckExtension(const Certificate& pck) {
  const Extension* extension = pck.Find(kSgxOid);
  if (extension == nullptr) {
    return Fail("collateral.malformed", "the PCK certificate lacks the SGX extension");
  }
  Reader outer(extension->value);
  ByteView list;
  PckExtension out;
  if (!outer.Take(der::kSequence, list) || !outer.AtEnd()) return Malformed("the SGX extension");
  Reader in(list);
  uint32_t seen = 0;
  while (!in.AtEnd()) {
    ByteView arc, rest;
    if (!TakePair(in, kSgxOid, arc, rest) || arc.size() != 1 || arc[0] < 1 || arc[0] > 31) {
      return Malformed("the SGX extension");
    }
    const uint32_t bit = 1u << arc[0];
    if ((seen & bit) != 0) return Malformed("the SGX extension (a member twice)");
    seen |= bit;
    bool ok = true;
    switch (arc[0]) {
      case 1:
        ok = ReadOctets(rest, out.ppid);
        break;
      case 2:
        ok = ReadTcb(rest, out);
        break;
      case 3:
        ok = ReadOctets(rest, out.pceid);
        break;
      case 4:
        ok = ReadOctets(rest, out.fmspc);
        break;
      default:
        break;  // SGX type, platform instance, configuration: not used by TDX rules
    }
    if (!ok) return Malformed("member " + std::to_string(arc[0]) + " of the SGX extension");
  }
  if ((seen & 0x1e) != 0x1e) return Malformed("the SGX extension (a member is absent)");
  return out;
}

Result<VekExtension> ReadVekExtension(const Certificate& vek) {
  VekExtension out;
  out.vlek = vek.subject_cn == snp::kVlekCn;
  const Extension* version = FindKds(vek, 1);
  uint64_t number = 0;
  if (version == nullptr) return Malformed("structVersion of the VEK");
  Reader version_in(version->value);
  if (!version_in.TakeUint(number, 255) || !version_in.AtEnd()) {
    return Malformed("structVersion of the VEK");
  }
  if (!ReadIa5(FindKds(vek, 2), out.product_name)) return Malformed("productName of the VEK");
  out.product = ProductOfExtension(out.product_name, out.vlek);
  const bool turin = out.product == SnpProduct::kTurin;
  if (!ReadSpl(vek, 1, out.tcb.bootloader) || !ReadSpl(vek, 2, out.tcb.tee) ||
      !ReadSpl(vek, 3, out.tcb.snp) || !ReadSpl(vek, 8, out.tcb.microcode) ||
      (turin && !ReadSpl(vek, 9, out.tcb.fmc))) {
    return Malformed("a security patch level (SPL) of the VEK");
  }
  const Extension* hwid = FindKds(vek, 4);
  if (out.vlek) {
    if (hwid != nullptr) return Malformed("a VLEK with a hwID");
    if (!ReadIa5(FindKds(vek, 5), out.csp_id)) return Malformed("cspID of the VLEK");
  } else {
    if (hwid == nullptr || hwid->value.size() != (turin ? 8u : 64u)) {
      return Malformed("hwID of the VCEK");
    }
    out.hwid = ToBytes(hwid->value);
  }
  return out;
}

SnpProduct ProductFromName(std::string_view name) {
  if (const size_t dash = name.rfind('-'); dash != std::string_view::npos) {
    name = name.substr(dash + 1);
  }
  for (const SnpProduct product : {SnpProduct::kMilan, SnpProduct::kGenoa, SnpProduct::kTurin}) {
    if (name == ProductName(product)) return product;
  }
  return SnpProduct::kUnknown;
}

}  // namespace cce::attest
