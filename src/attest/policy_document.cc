// The policy as a document: reading (TOML or JSON) and writing.
#include <algorithm>

#include "attest/little_endian.h"
#include "attest/policy.h"
#include "attest/tdx_layout.h"

namespace cce::attest {
namespace {

constexpr Fields::ListRule kList{.max = 4096, .optional = true};
const Fields::StringRule kText{.max = 1024, .fallback = ""};

template <size_t N>
std::optional<ByteArray<N>> OptionalHex(Fields& f, std::string_view key) {
  if (!f.Has(key)) return std::nullopt;
  const Bytes bytes = f.Hex(key, N);
  if (bytes.size() != N) return std::nullopt;
  return ToArray<N>(bytes).value_or(ByteArray<N>{});
}

std::optional<UnixSeconds> OptionalTime(Fields& f, std::string_view key) {
  if (!f.Has(key)) return std::nullopt;
  const Result<UnixSeconds> time = ParseTime(f.String(key, {.max = 64}));
  if (!time) {
    f.Reject(key, "must be a time as 2026-11-22T15:52:00Z");
    return std::nullopt;
  }
  return *time;
}

// A 64-bit register in the byte order of the evidence, as `inspect` shows it: 16 hex digits.
uint64_t Register(Fields& f, std::string_view key, uint64_t fallback) {
  const std::optional<ByteArray<8>> bytes = OptionalHex<8>(f, key);
  return bytes ? LoadU64(bytes->data()) : fallback;
}

template <size_t N>
std::vector<ByteArray<N>> HexList(Fields& f, std::string_view key) {
  std::vector<ByteArray<N>> out;
  for (const std::string& text : f.Strings(key, kList)) {
    const Result<ByteArray<N>> bytes = ArrayFromHex<N>(text);
    if (!bytes) {
      f.Reject(key, "must hold texts of " + std::to_string(2 * N) + " hex digits");
      return out;
    }
    out.push_back(*bytes);
  }
  return out;
}

// Hex texts of fixed size, in lower case.
std::vector<std::string> HexTexts(Fields& f, std::string_view key, size_t size) {
  std::vector<std::string> out;
  for (const std::string& text : f.Strings(key, kList)) {
    const Result<Bytes> bytes = FromHex(text);
    if (!bytes || bytes->size() != size) {
      f.Reject(key, "must hold texts of " + std::to_string(2 * size) + " hex digits");
      return out;
    }
    out.push_back(ToHex(*bytes));
  }
  return out;
}

std::optional<SnpProduct> ProductFrom(std::string_view name) {
  for (const SnpProduct product : {SnpProduct::kMilan, SnpProduct::kGenoa, SnpProduct::kTurin}) {
    if (name == ProductName(product)) return product;
  }
  return std::nullopt;
}

Measurement ReadMeasurementFields(Fields& f) {
  Measurement out;
  out.name = f.String("name", {.min = 1, .max = 256});
  out.tee = f.Choice("tee", {"tdx", "snp"}) == "snp" ? Tee::kSnp : Tee::kTdx;
  bool any = false;
  const auto take = [&](auto& member, std::string_view key) {
    member =
        OptionalHex<std::tuple_size_v<typename std::decay_t<decltype(member)>::value_type>>(f, key);
    any |= member.has_value();
  };
  if (out.tee == Tee::kTdx) {
    take(out.mrtd, "mrtd");
    for (size_t i = 0; i < out.rtmr.size(); ++i) take(out.rtmr[i], "rtmr" + std::to_string(i));
    take(out.mrseam, "mrseam");
    take(out.mrconfigid, "mrconfigid");
    take(out.mrowner, "mrowner");
    take(out.mrownerconfig, "mrownerconfig");
  } else {
    take(out.launch_digest, "launch_digest");
    take(out.host_data, "host_data");
    take(out.id_key_digest, "id_key_digest");
    take(out.author_key_digest, "author_key_digest");
    take(out.family_id, "family_id");
    take(out.image_id, "image_id");
  }
  if (!any) f.Reject("name", "the entry names no register, so it would match everything");
  out.note = f.String("note", kText);
  out.added_by = f.String("added_by", kText);
  out.not_after = OptionalTime(f, "not_after");
  return out;
}

std::vector<Expiring> ReadExpiring(Fields& f, std::string_view list, std::string_view key) {
  std::vector<Expiring> out;
  for (Fields& item : f.Objects(list, {.max = 1024})) {
    Expiring entry;
    entry.value = item.String(key, {.min = 1, .max = 128});
    entry.not_after = OptionalTime(item, "not_after");
    entry.note = item.String("note", kText);
    out.push_back(std::move(entry));
  }
  return out;
}

// Vendor roots by name, others by SHA-256; then the document's own roots with a name.
void ReadRoots(Fields& f, Policy& out) {
  if (!f.Has("roots")) {
    out.roots = VendorRoots();
  }
  for (const std::string& name : f.Strings("roots", kList)) {
    const auto& vendors = VendorRoots();
    const auto vendor =
        std::ranges::find_if(vendors, [&](const TrustedRoot& root) { return root.name == name; });
    if (vendor != vendors.end()) {
      out.roots.push_back(*vendor);
    } else if (const Result<ByteArray<32>> digest = ArrayFromHex<32>(name); digest) {
      out.roots.push_back({name, std::nullopt, *digest, false, SnpProduct::kUnknown});
    } else {
      f.Reject("roots", "'" + name +
                            "' is neither a vendor root (intel, amd-milan, amd-genoa, "
                            "amd-turin) nor a SHA-256 in hex");
    }
  }
  for (Fields& item : f.Objects("own_roots", kList)) {
    TrustedRoot root;
    root.name = item.String("name", {.min = 1, .max = 128});
    root.tee = item.Choice("tee", {"tdx", "snp"}) == "snp" ? Tee::kSnp : Tee::kTdx;
    root.sha256 = OptionalHex<32>(item, "sha256").value_or(ByteArray<32>{});
    if (!item.Has("sha256")) item.Reject("sha256", "required, but absent");
    for (const TrustedRoot& vendor : VendorRoots()) {
      if (vendor.name == root.name) item.Reject("name", "is a vendor root's name");
    }
    out.roots.push_back(std::move(root));
  }
  // A vendor's root stays a vendor's, by whichever name it was given.
  for (TrustedRoot& root : out.roots) {
    for (const TrustedRoot& vendor : VendorRoots()) {
      if (vendor.sha256 == root.sha256) root = vendor;
    }
  }
}

void ReadStatuses(Fields& f, Policy& out) {
  if (f.Has("tcb_statuses")) out.tcb_statuses = ReadExpiring(f, "tcb_statuses", "status");
  for (const Expiring& entry : out.tcb_statuses) {
    const std::optional<TcbStatus> status = StatusFromName(entry.value);
    if (!status || *status == TcbStatus::kRevoked) {
      f.Reject("tcb_statuses", "'" + entry.value + "' is no status that can be accepted");
    }
  }
  if (f.Has("advisories")) {
    out.any_advisory = false;
    out.advisories = ReadExpiring(f, "advisories", "id");
  }
}

void ReadTdx(Fields f, TdxPolicy& out) {
  const TdxPolicy defaults;
  out.attributes_required = Register(f, "attributes_required", defaults.attributes_required);
  out.attributes_allowed = Register(f, "attributes_allowed", defaults.attributes_allowed);
  out.allow_debug = f.Bool("allow_debug", false);
  if (f.Has("xfam")) out.xfam = Register(f, "xfam", 0);
  out.mrseam = HexList<48>(f, "mrseam");
  out.service_tds = HexList<48>(f, "service_tds");
  out.any_service_td = f.Bool("any_service_td", false);
  out.min_tcb_evaluation_number =
      f.Uint("min_tcb_evaluation_number", {.max = UINT32_MAX, .fallback = 0});
  out.min_tcb_date = OptionalTime(f, "min_tcb_date");
  out.refused_fmspc = HexTexts(f, "refused_fmspc", 6);
  out.refused_ppid = HexTexts(f, "refused_ppid", 16);
}

SnpFloor ReadFloor(Fields& f) {
  SnpFloor out;
  const std::string name = f.Choice("product", {"Milan", "Genoa", "Turin"});
  out.product = ProductFrom(name).value_or(SnpProduct::kUnknown);
  const auto svn = [&](std::string_view key) {
    return static_cast<uint8_t>(f.Uint(key, {.max = 255, .fallback = 0}));
  };
  out.tcb = {svn("fmc"), svn("bootloader"), svn("tee"), svn("snp"), svn("microcode")};
  out.from = OptionalTime(f, "from");
  out.note = f.String("note", kText);
  return out;
}

void ReadSnp(Fields f, SnpPolicy& out) {
  out.allow_debug = f.Bool("allow_debug", false);
  out.allow_migration_agent = f.Bool("allow_migration_agent", false);
  out.allow_smt = f.Bool("allow_smt", true);
  out.require_single_socket = f.Bool("require_single_socket", false);
  out.allow_cxl = f.Bool("allow_cxl", false);
  out.require_aes256_xts = f.Bool("require_aes256_xts", false);
  out.require_rapl_disabled = f.Bool("require_rapl_disabled", false);
  out.require_ciphertext_hiding = f.Bool("require_ciphertext_hiding", false);
  out.require_page_swap_disabled = f.Bool("require_page_swap_disabled", false);
  out.min_abi_major = static_cast<uint8_t>(f.Uint("min_abi_major", {.max = 255, .fallback = 0}));
  out.min_abi_minor = static_cast<uint8_t>(f.Uint("min_abi_minor", {.max = 255, .fallback = 0}));
  out.min_guest_svn =
      static_cast<uint32_t>(f.Uint("min_guest_svn", {.max = UINT32_MAX, .fallback = 0}));
  if (const json::value* list = f.Raw("vmpls"); list != nullptr) {
    out.vmpls.clear();
    const json::array* array = list->if_array();
    for (const json::value& item : array == nullptr ? json::array{} : *array) {
      const int64_t* vmpl = item.if_int64();
      if (vmpl == nullptr || *vmpl < 0 || *vmpl > 3) {
        f.Reject("vmpls", "must hold numbers from 0 to 3");
        break;
      }
      out.vmpls.push_back(static_cast<uint32_t>(*vmpl));
    }
    if (out.vmpls.empty()) f.Reject("vmpls", "must be a list of numbers from 0 to 3");
  }
  out.allow_vlek = f.Bool("allow_vlek", true);
  out.allow_masked_chip_id = f.Bool("allow_masked_chip_id", false);
  out.require_crl = f.Bool("require_crl", true);
  out.platform_info_required = Register(f, "platform_info_required", 0);
  out.platform_info_refused = Register(f, "platform_info_refused", 0);
  out.mitigation_required = Register(f, "mitigation_required", 0);
  for (Fields& item : f.Objects("floors", kList)) out.floors.push_back(ReadFloor(item));
  for (const std::string& name : f.Strings("refused_products", kList)) {
    const std::optional<SnpProduct> product = ProductFrom(name);
    if (!product) f.Reject("refused_products", "must hold Milan, Genoa or Turin");
    out.refused_products.push_back(product.value_or(SnpProduct::kUnknown));
  }
  out.refused_chips = HexTexts(f, "refused_chips", 64);
}

Result<Policy> Read(Fields f) {
  Policy out;
  out.name = f.String("name", {.max = 256, .fallback = "policy"});
  if (f.Has("tees")) {
    out.tees.clear();
    for (const std::string& name : f.Strings("tees", {.min = 1, .max = 2})) {
      if (name != "tdx" && name != "snp") f.Reject("tees", "must hold tdx or snp");
      out.tees.push_back(name == "snp" ? Tee::kSnp : Tee::kTdx);
    }
  }
  ReadRoots(f, out);
  out.any_measurement = f.Bool("any_measurement", false);
  for (Fields& item : f.Objects("measurements", kList)) {
    out.measurements.push_back(ReadMeasurementFields(item));
  }
  if (out.any_measurement == !out.measurements.empty()) {
    f.Reject("measurements", "list the guests allowed, or set any_measurement = true");
  }
  ReadStatuses(f, out);
  ReadTdx(f.Object("tdx", /*optional=*/true), out.tdx);
  ReadSnp(f.Object("snp", /*optional=*/true), out.snp);
  TRY(f.Finish());
  return out;
}

// -- Writing

template <size_t N>
void Put(json::object& out, std::string_view key, const std::optional<ByteArray<N>>& value) {
  if (value) out[key] = ToHex(*value);
}
void PutTime(json::object& out, std::string_view key, const std::optional<UnixSeconds>& time) {
  if (time) out[key] = FormatTime(*time);
}
void PutText(json::object& out, std::string_view key, const std::string& text) {
  if (!text.empty()) out[key] = text;
}
json::array TextArray(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

json::array ExpiringJson(const std::vector<Expiring>& list, std::string_view key) {
  json::array out;
  for (const Expiring& entry : list) {
    json::object item{{key, entry.value}};
    PutTime(item, "not_after", entry.not_after);
    PutText(item, "note", entry.note);
    out.push_back(std::move(item));
  }
  return out;
}

json::object TdxJson(const TdxPolicy& p) {
  json::object out{{"attributes_required", HexOfU64(p.attributes_required)},
                   {"attributes_allowed", HexOfU64(p.attributes_allowed)},
                   {"allow_debug", p.allow_debug},
                   {"any_service_td", p.any_service_td},
                   {"min_tcb_evaluation_number", p.min_tcb_evaluation_number},
                   {"refused_fmspc", TextArray(p.refused_fmspc)},
                   {"refused_ppid", TextArray(p.refused_ppid)}};
  if (p.xfam) out["xfam"] = HexOfU64(*p.xfam);
  PutTime(out, "min_tcb_date", p.min_tcb_date);
  json::array seams, services;
  for (const auto& seam : p.mrseam) seams.emplace_back(ToHex(seam));
  for (const auto& service : p.service_tds) services.emplace_back(ToHex(service));
  out["mrseam"] = std::move(seams);
  out["service_tds"] = std::move(services);
  return out;
}

json::object SnpJson(const SnpPolicy& p) {
  json::object out{{"allow_debug", p.allow_debug},
                   {"allow_migration_agent", p.allow_migration_agent},
                   {"allow_smt", p.allow_smt},
                   {"require_single_socket", p.require_single_socket},
                   {"allow_cxl", p.allow_cxl},
                   {"require_aes256_xts", p.require_aes256_xts},
                   {"require_rapl_disabled", p.require_rapl_disabled},
                   {"require_ciphertext_hiding", p.require_ciphertext_hiding},
                   {"require_page_swap_disabled", p.require_page_swap_disabled},
                   {"min_abi_major", p.min_abi_major},
                   {"min_abi_minor", p.min_abi_minor},
                   {"min_guest_svn", p.min_guest_svn},
                   {"allow_vlek", p.allow_vlek},
                   {"allow_masked_chip_id", p.allow_masked_chip_id},
                   {"require_crl", p.require_crl},
                   {"platform_info_required", HexOfU64(p.platform_info_required)},
                   {"platform_info_refused", HexOfU64(p.platform_info_refused)},
                   {"mitigation_required", HexOfU64(p.mitigation_required)},
                   {"refused_chips", TextArray(p.refused_chips)}};
  json::array vmpls, floors, products;
  for (const uint32_t vmpl : p.vmpls) vmpls.emplace_back(int64_t{vmpl});
  for (const SnpFloor& floor : p.floors) {
    json::object item{{"product", ProductName(floor.product)},
                      {"fmc", floor.tcb.fmc},
                      {"bootloader", floor.tcb.bootloader},
                      {"tee", floor.tcb.tee},
                      {"snp", floor.tcb.snp},
                      {"microcode", floor.tcb.microcode}};
    PutTime(item, "from", floor.from);
    PutText(item, "note", floor.note);
    floors.push_back(std::move(item));
  }
  for (const SnpProduct product : p.refused_products) products.emplace_back(ProductName(product));
  out["vmpls"] = std::move(vmpls);
  out["floors"] = std::move(floors);
  out["refused_products"] = std::move(products);
  return out;
}

}  // namespace

Result<Policy> ReadPolicy(const Document& document) { return Read(Fields(document)); }

Result<Policy> ReadPolicy(const json::object& object, std::string name) {
  return Read(Fields(object, std::move(name)));
}

Result<Measurement> ReadMeasurement(const json::object& object, std::string name) {
  Fields f(object, std::move(name));
  Measurement out = ReadMeasurementFields(f);
  TRY(f.Finish());
  return out;
}

json::object ToJsonObject(const Measurement& m) {
  json::object out{{"name", m.name}, {"tee", TeeName(m.tee)}};
  Put(out, "mrtd", m.mrtd);
  for (size_t i = 0; i < m.rtmr.size(); ++i) Put(out, "rtmr" + std::to_string(i), m.rtmr[i]);
  Put(out, "mrseam", m.mrseam);
  Put(out, "mrconfigid", m.mrconfigid);
  Put(out, "mrowner", m.mrowner);
  Put(out, "mrownerconfig", m.mrownerconfig);
  Put(out, "launch_digest", m.launch_digest);
  Put(out, "host_data", m.host_data);
  Put(out, "id_key_digest", m.id_key_digest);
  Put(out, "author_key_digest", m.author_key_digest);
  Put(out, "family_id", m.family_id);
  Put(out, "image_id", m.image_id);
  PutText(out, "note", m.note);
  PutText(out, "added_by", m.added_by);
  PutTime(out, "not_after", m.not_after);
  return out;
}

json::object ToJsonObject(const Policy& policy) {
  json::object out{{"name", policy.name}};
  json::array tees, roots, own, measurements;
  for (const Tee tee : policy.tees) tees.emplace_back(TeeName(tee));
  for (const TrustedRoot& root : policy.roots) {
    if (root.vendor) {
      roots.emplace_back(root.name);
    } else if (!root.tee) {
      roots.emplace_back(ToHex(root.sha256));
    } else {
      own.push_back(json::object{
          {"name", root.name}, {"tee", TeeName(*root.tee)}, {"sha256", ToHex(root.sha256)}});
    }
  }
  for (const Measurement& entry : policy.measurements) measurements.push_back(ToJsonObject(entry));
  out["tees"] = std::move(tees);
  out["roots"] = std::move(roots);
  if (!own.empty()) out["own_roots"] = std::move(own);
  out["any_measurement"] = policy.any_measurement;
  if (!measurements.empty()) out["measurements"] = std::move(measurements);
  out["tcb_statuses"] = ExpiringJson(policy.tcb_statuses, "status");
  if (!policy.any_advisory) out["advisories"] = ExpiringJson(policy.advisories, "id");
  out["tdx"] = TdxJson(policy.tdx);
  out["snp"] = SnpJson(policy.snp);
  return out;
}

}  // namespace cce::attest
