#include "attest/tcb_documents.h"

#include <simdjson.h>

#include <limits>

namespace cce::attest {
namespace {

namespace sj = simdjson;
namespace dom = simdjson::dom;

constexpr size_t kMaxDocument = 1 << 20;
constexpr size_t kMaxDepth = 16;
constexpr size_t kMaxMembers = 64;

// Reads the members of one object; remembers the first failure of the whole document.
class Members {
 public:
  Members(const dom::object& object, std::string where, std::string& error)
      : where_(std::move(where)), error_(error) {
    for (const auto& field : object) {
      for (const auto& [key, value] : members_) {
        if (key == field.key) Refuse(field.key, "stands twice");
      }
      if (members_.size() >= kMaxMembers) {
        Refuse(field.key, "is one member too many");
        break;
      }
      members_.emplace_back(field.key, field.value);
    }
  }

  bool Has(std::string_view key) const { return Find(key) != nullptr; }

  std::string_view Text(std::string_view key, bool optional = false) {
    std::string_view out;
    const dom::element* value = Find(key);
    if (value == nullptr ? !optional : value->get(out) != sj::SUCCESS)
      Refuse(key, "must be a text");
    return out;
  }

  uint64_t Uint(std::string_view key, uint64_t max) {
    uint64_t out = 0;
    const dom::element* value = Find(key);
    if (value == nullptr || value->get(out) != sj::SUCCESS || out > max) {
      Refuse(key, "must be a whole number of at most " + std::to_string(max));
      return 0;
    }
    return out;
  }

  template <size_t N>
  ByteArray<N> Hex(std::string_view key) {
    const Result<ByteArray<N>> bytes = ArrayFromHex<N>(Text(key));
    if (!bytes) Refuse(key, "must be " + std::to_string(2 * N) + " hex digits");
    return bytes.value_or(ByteArray<N>{});
  }

  UnixSeconds Time(std::string_view key) {
    const Result<UnixSeconds> time = ParseTime(Text(key));
    if (!time) Refuse(key, "must be a time");
    return time.value_or(0);
  }

  Members Object(std::string_view key) {
    dom::object object;
    const dom::element* value = Find(key);
    if (value == nullptr || value->get(object) != sj::SUCCESS) {
      Refuse(key, "must be an object");
      return Members(Where(key), error_);
    }
    return {object, Where(key), error_};
  }

  // Calls `read` for each object of a list of 1 (or 0 where optional) to `max`.
  template <typename Read>
  void Each(std::string_view key, size_t max, Read read, bool optional = false) {
    dom::array array;
    const dom::element* value = Find(key);
    if (value == nullptr && optional) return;
    if (value == nullptr || value->get(array) != sj::SUCCESS || array.size() > max ||
        (array.size() == 0 && !optional)) {
      return Refuse(key, "must be a list of 1 to " + std::to_string(max) + " objects");
    }
    for (const dom::element item : array) {
      dom::object object;
      if (item.get(object) != sj::SUCCESS) return Refuse(key, "must hold objects");
      read(Members(object, Where(key), error_));
      if (!error_.empty()) return;
    }
  }

  std::vector<std::string> Texts(std::string_view key, size_t max) {
    std::vector<std::string> out;
    const dom::element* value = Find(key);
    dom::array array;
    if (value == nullptr) return out;
    if (value->get(array) != sj::SUCCESS || array.size() > max) {
      Refuse(key, "must be a list of texts");
      return out;
    }
    for (const dom::element item : array) {
      std::string_view text;
      if (item.get(text) != sj::SUCCESS || text.size() > 64) {
        Refuse(key, "must be a list of texts");
        return out;
      }
      out.emplace_back(text);
    }
    return out;
  }

  void Refuse(std::string_view key, std::string_view why) {
    if (error_.empty()) error_ = Where(key) + " " + std::string(why);
  }

 private:
  Members(std::string where, std::string& error) : where_(std::move(where)), error_(error) {}
  std::string Where(std::string_view key) const {
    return where_.empty() ? std::string(key) : where_ + "." + std::string(key);
  }
  const dom::element* Find(std::string_view key) const {
    for (const auto& [name, value] : members_) {
      if (name == key) return &value;
    }
    return nullptr;
  }

  std::string where_;
  std::string& error_;
  std::vector<std::pair<std::string_view, dom::element>> members_;
};

TcbGrade ReadGrade(Members& level) {
  TcbGrade out;
  out.status_text = level.Text("tcbStatus");
  out.status = StatusFromName(out.status_text);
  // Relaunch is a conclusion, never a level's own word.
  if (out.status == TcbStatus::kTdRelaunchAdvised ||
      out.status == TcbStatus::kTdRelaunchAdvisedConfigurationNeeded) {
    out.status.reset();
  }
  out.date = level.Time("tcbDate");
  out.advisories = level.Texts("advisoryIDs", 256);
  return out;
}

SvnLevel ReadSvnLevel(Members& level) {
  SvnLevel out;
  Members tcb = level.Object("tcb");
  out.isvsvn = static_cast<uint16_t>(tcb.Uint("isvsvn", 0xffff));
  out.grade = ReadGrade(level);
  return out;
}

// Exactly 16 components: a short list would leave versions uncompared.
void ReadComponents(Members& tcb, std::string_view key, ComponentSvns& svns,
                    std::array<std::string, 16>* names) {
  size_t n = 0;
  tcb.Each(key, 16, [&](Members component) {
    if (names != nullptr) (*names)[n] = component.Text("type", /*optional=*/true);
    svns[n++] = static_cast<uint16_t>(component.Uint("svn", 0xffff));
  });
  if (n != 16) tcb.Refuse(key, "must hold 16 components");
}

ModuleIdentity ReadModule(Members& module) {
  ModuleIdentity out;
  out.mrsigner = module.Hex<48>("mrsigner");
  out.attributes = module.Hex<8>("attributes");
  out.attributes_mask = module.Hex<8>("attributesMask");
  return out;
}

void ReadTdxPart(Members& root, TcbInfo& out) {
  Members module = root.Object("tdxModule");
  out.module = ReadModule(module);
  root.Each(
      "tdxModuleIdentities", 64,
      [&](Members identity) {
        ModuleIdentity entry = ReadModule(identity);
        entry.id = identity.Text("id");
        identity.Each("tcbLevels", 64,
                      [&](Members level) { entry.levels.push_back(ReadSvnLevel(level)); });
        for (const ModuleIdentity& other : out.identities) {
          if (other.id == entry.id) identity.Refuse("id", "stands twice");
        }
        out.identities.push_back(std::move(entry));
      },
      /*optional=*/true);
}

Result<dom::object> ParseObject(dom::parser& parser, std::string_view text) {
  dom::object object;
  if (text.size() > kMaxDocument) {
    return Fail("collateral.malformed", "a signed document exceeds 1 MiB");
  }
  if (parser.allocate(text.size(), kMaxDepth) != sj::SUCCESS) {
    return Fail("collateral.malformed", "a signed document cannot be read");
  }
  const sj::error_code error = parser.parse(text.data(), text.size()).get(object);
  if (error != sj::SUCCESS) {
    return Fail("collateral.malformed",
                std::string("a signed document is no JSON object: ") + sj::error_message(error));
  }
  return object;
}

Result<> Conclude(std::string_view what, const std::string& error) {
  if (error.empty()) return {};
  return Fail("collateral.malformed", std::string(what) + ": " + error);
}

}  // namespace

Result<TcbInfo> ParseTcbInfo(std::string_view body) {
  dom::parser parser;
  ASSIGN_OR_RETURN(const dom::object object, ParseObject(parser, body));
  std::string error;
  Members root(object, "", error);
  TcbInfo out;
  out.id = root.Has("id") ? root.Text("id") : "SGX";
  out.version = root.Uint("version", 1000);
  if (error.empty() && out.version != 3) root.Refuse("version", "must be 3");
  out.issue_date = root.Time("issueDate");
  out.next_update = root.Time("nextUpdate");
  out.fmspc = root.Hex<6>("fmspc");
  out.pceid = root.Hex<2>("pceId");
  if (root.Uint("tcbType", 1000) != 0) root.Refuse("tcbType", "must be 0");
  out.evaluation_number = root.Uint("tcbEvaluationDataNumber", UINT32_MAX);
  const bool tdx = out.id == "TDX";
  if (tdx) ReadTdxPart(root, out);
  root.Each("tcbLevels", 256, [&](Members level) {
    PlatformLevel entry;
    const bool first = out.levels.empty();
    Members tcb = level.Object("tcb");
    ReadComponents(tcb, "sgxtcbcomponents", entry.sgx, first ? &out.sgx_names : nullptr);
    if (tdx) ReadComponents(tcb, "tdxtcbcomponents", entry.tdx, first ? &out.tdx_names : nullptr);
    entry.pcesvn = static_cast<uint16_t>(tcb.Uint("pcesvn", 0xffff));
    entry.grade = ReadGrade(level);
    out.levels.push_back(std::move(entry));
  });
  TRY(Conclude("TCB info", error));
  return out;
}

Result<QeIdentity> ParseQeIdentity(std::string_view body) {
  dom::parser parser;
  ASSIGN_OR_RETURN(const dom::object object, ParseObject(parser, body));
  std::string error;
  Members root(object, "", error);
  QeIdentity out;
  out.id = root.Text("id");
  out.version = root.Uint("version", 1000);
  if (error.empty() && out.version != 2 && out.version != 3) {
    root.Refuse("version", "must be 2 or 3");
  }
  out.issue_date = root.Time("issueDate");
  out.next_update = root.Time("nextUpdate");
  out.evaluation_number = root.Uint("tcbEvaluationDataNumber", UINT32_MAX);
  // Hex of the report's own bytes, which are little-endian.
  const auto number = [](const ByteArray<4>& b) {
    return static_cast<uint32_t>(b[0] | b[1] << 8 | b[2] << 16 | uint32_t{b[3]} << 24);
  };
  out.miscselect = number(root.Hex<4>("miscselect"));
  out.miscselect_mask = number(root.Hex<4>("miscselectMask"));
  out.attributes = root.Hex<16>("attributes");
  out.attributes_mask = root.Hex<16>("attributesMask");
  out.mrsigner = root.Hex<32>("mrsigner");
  out.isvprodid = static_cast<uint16_t>(root.Uint("isvprodid", 0xffff));
  root.Each("tcbLevels", 256, [&](Members level) { out.levels.push_back(ReadSvnLevel(level)); });
  TRY(Conclude("QE identity", error));
  return out;
}

Result<std::pair<std::string, Bytes>> SplitSigned(std::string_view response,
                                                  std::string_view name) {
  // The strict reader first (form, duplicates at the top level), then the member's own bytes.
  dom::parser parser;
  ASSIGN_OR_RETURN(const dom::object object, ParseObject(parser, response));
  std::string error;
  Members root(object, "", error);
  const Result<ByteArray<64>> signature = ArrayFromHex<64>(root.Text("signature"));
  if (!signature) root.Refuse("signature", "must be 128 hex digits");
  TRY(Conclude("a signed document", error));

  sj::ondemand::parser raw_parser;
  const sj::padded_string padded(response);
  sj::ondemand::document document;
  sj::ondemand::object top, value;
  std::string_view raw;
  if (raw_parser.iterate(padded).get(document) != sj::SUCCESS ||
      document.get_object().get(top) != sj::SUCCESS ||
      top.find_field_unordered(name).get_object().get(value) != sj::SUCCESS ||
      value.raw_json().get(raw) != sj::SUCCESS) {
    return Fail("collateral.malformed",
                "a signed document lacks the object '" + std::string(name) + "'");
  }
  raw = raw.substr(0, raw.find_last_not_of(" \t\r\n") + 1);  // the reader goes on to the next token
  return std::pair(std::string(raw), Bytes(signature->begin(), signature->end()));
}

}  // namespace cce::attest
