// Which TCB level a platform has: DCAP-QVL 4.1.2.5.2, with the index rule and relaunch.
#include <algorithm>

#include "attest/checks.h"
#include "attest/little_endian.h"
#include "attest/tdx_quote.h"

namespace cce::attest {
namespace {

constexpr size_t kModuleSvn = 0;    // TEE_TCB_SVN[0]
constexpr size_t kModuleMajor = 1;  // TEE_TCB_SVN[1]

bool CoversFrom(const ByteArray<16>& have, const ComponentSvns& need, size_t first) {
  for (size_t i = first; i < have.size(); ++i) {
    if (have[i] < need[i]) return false;
  }
  return true;
}

// Components 0 and 1 are the module's own where it states a major version: they have an identity of
// their own.
size_t FirstTdxIndex(const ByteArray<16>& svn) { return svn[kModuleMajor] > 0 ? 2 : 0; }

const PlatformLevel* FindPlatformLevel(const TdxTrust& trust, const ByteArray<16>& svn) {
  for (const PlatformLevel& level : trust.info.levels) {
    if (CoversFrom(trust.pck.components, level.sgx, 0) && trust.pck.pcesvn >= level.pcesvn &&
        CoversFrom(svn, level.tdx, FirstTdxIndex(svn))) {
      return &level;
    }
  }
  return nullptr;
}

const SvnLevel* FindSvnLevel(const std::vector<SvnLevel>& levels, unsigned isvsvn) {
  for (const SvnLevel& level : levels) {
    if (level.isvsvn <= isvsvn) return &level;
  }
  return nullptr;
}

std::string ModuleId(uint8_t major) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  return std::string("TDX_") + kDigits[major >> 4] + kDigits[major & 15];
}

// Null where the TCB info knows no such module.
const ModuleIdentity* FindModule(const TcbInfo& info, uint8_t major) {
  if (major == 0) return &info.module;
  for (const ModuleIdentity& identity : info.identities) {
    if (identity.id == ModuleId(major)) return &identity;
  }
  return nullptr;
}

struct Levels {
  const PlatformLevel* platform = nullptr;
  const SvnLevel* module = nullptr;  // null for a module without an identity of its own
  bool complete = false;
};

Levels FindLevels(const TdxTrust& trust, const ByteArray<16>& svn) {
  Levels out;
  out.platform = FindPlatformLevel(trust, svn);
  out.complete = out.platform != nullptr;
  if (svn[kModuleMajor] > 0) {
    const ModuleIdentity* identity = FindModule(trust.info, svn[kModuleMajor]);
    if (identity != nullptr) out.module = FindSvnLevel(identity->levels, svn[kModuleSvn]);
    out.complete = out.complete && out.module != nullptr;
  }
  return out;
}

std::string GradeText(const TcbGrade& grade) {
  return grade.status_text + ", of " + FormatTime(grade.date);
}

void AddAdvisories(std::vector<std::string>& out, const TcbGrade& grade) {
  out.insert(out.end(), grade.advisories.begin(), grade.advisories.end());
}

void SortUnique(std::vector<std::string>& texts) {
  std::ranges::sort(texts);
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
}

struct Grade {
  std::optional<TcbStatus> status;
  std::vector<std::string> advisories;
  UnixSeconds date = 0;
};

Grade GradeOf(const Levels& levels, const SvnLevel& qe) {
  Grade out;
  const TcbGrade& platform = levels.platform->grade;
  out.date = std::min(platform.date, qe.grade.date);
  AddAdvisories(out.advisories, platform);
  AddAdvisories(out.advisories, qe.grade);
  bool known = platform.status && qe.grade.status;
  TcbStatus module = TcbStatus::kUpToDate;
  if (levels.module != nullptr) {
    const TcbGrade& grade = levels.module->grade;
    out.date = std::min(out.date, grade.date);
    AddAdvisories(out.advisories, grade);
    known = known && grade.status.has_value();
    module = grade.status.value_or(TcbStatus::kRevoked);
  }
  SortUnique(out.advisories);
  if (known) out.status = Converge(*platform.status, {module, *qe.grade.status});
  return out;
}

// -- What is short of the newest good level, for people

void Short(std::string& out, const std::string& what, unsigned have, unsigned need) {
  if (have >= need) return;
  out += (out.empty() ? "" : "; ") + what + " is " + std::to_string(have) + ", needs " +
         std::to_string(need);
}

template <typename Level>
const Level* Newest(const std::vector<Level>& levels) {
  const auto found = std::ranges::find_if(levels, [](const Level& level) {
    return level.grade.status == TcbStatus::kUpToDate ||
           level.grade.status == TcbStatus::kSwHardeningNeeded;
  });
  return found == levels.end() ? nullptr : &*found;
}

std::string ShortText(const TdxTrust& trust, const ByteArray<16>& svn, unsigned qe_svn) {
  std::string out;
  const auto name = [](const char* family, size_t i, const std::string& type) {
    return type.empty()
               ? family + std::string(" component ") + std::to_string(i + 1)
               : family + std::string(" component ") + std::to_string(i + 1) + " (" + type + ")";
  };
  if (const PlatformLevel* level = Newest(trust.info.levels)) {
    for (size_t i = 0; i < 16; ++i) {
      Short(out, name("SGX", i, trust.info.sgx_names[i]), trust.pck.components[i], level->sgx[i]);
    }
    Short(out, "PCESVN", trust.pck.pcesvn, level->pcesvn);
    for (size_t i = FirstTdxIndex(svn); i < 16; ++i) {
      Short(out, name("TDX", i, trust.info.tdx_names[i]), svn[i], level->tdx[i]);
    }
  }
  if (const ModuleIdentity* module = FindModule(trust.info, svn[kModuleMajor])) {
    if (const SvnLevel* level = Newest(module->levels)) {
      Short(out, "TDX module SVN", svn[kModuleSvn], level->isvsvn);
    }
  }
  if (const SvnLevel* level = Newest(trust.qe.levels)) {
    Short(out, "quoting enclave ISVSVN", qe_svn, level->isvsvn);
  }
  return out.empty() ? out : out + ": update these on the platform";
}

// -- Checks

bool CheckLevels(Checks& checks, const TdBody& body, const TdxTrust& trust, const Levels& levels,
                 const SvnLevel* qe, unsigned qe_svn, const std::string& mend) {
  bool ok =
      checks.That(levels.platform != nullptr, Rule::kPlatformLevel, "a level at or below",
                  levels.platform == nullptr
                      ? "SGX " + ToHex(trust.pck.components) + ", PCESVN " +
                            std::to_string(trust.pck.pcesvn) + ", TDX " + ToHex(body.tee_tcb_svn)
                      : GradeText(levels.platform->grade),
                  mend);
  if (body.tee_tcb_svn[kModuleMajor] > 0) {
    ok &= checks.That(levels.module != nullptr, Rule::kModuleLevel, "a level at or below",
                      levels.module == nullptr ? "SVN " + std::to_string(body.tee_tcb_svn[0])
                                               : GradeText(levels.module->grade),
                      mend);
  }
  ok &=
      checks.That(qe != nullptr, Rule::kQeLevel, "a level at or below",
                  qe == nullptr ? "ISVSVN " + std::to_string(qe_svn) : GradeText(qe->grade), mend);
  return ok;
}

// TD report 1.5: the module may have been updated under the running TD.
bool CheckCurrent(Checks& checks, const TdBody& body, const TdxTrust& trust, const SvnLevel& qe,
                  TcbStatus launch, TcbResult& result) {
  const Levels levels = FindLevels(trust, body.tee_tcb_svn2);
  const Grade grade = levels.complete ? GradeOf(levels, qe) : Grade{};
  checks.That(grade.status.has_value(), Rule::kCurrentLevel, "levels at or below",
              levels.complete ? GradeText(levels.platform->grade)
                              : "TEE_TCB_SVN2 " + ToHex(body.tee_tcb_svn2));
  if (!grade.status) return false;
  result.current_status = grade.status;
  result.current_advisories = grade.advisories;
  result.status = WithRelaunch(launch, *grade.status);
  return true;
}

}  // namespace

TcbStatus Converge(TcbStatus platform, std::initializer_list<TcbStatus> components) {
  TcbStatus out = platform;
  for (const TcbStatus component : components) {
    if (component == TcbStatus::kRevoked || out == TcbStatus::kRevoked) return TcbStatus::kRevoked;
    if (component == TcbStatus::kUpToDate) continue;
    // A component knows only UpToDate, OutOfDate and Revoked; anything else counts as OutOfDate.
    if (out == TcbStatus::kUpToDate || out == TcbStatus::kSwHardeningNeeded) {
      out = TcbStatus::kOutOfDate;
    } else if (out == TcbStatus::kConfigurationNeeded ||
               out == TcbStatus::kConfigurationAndSwHardeningNeeded) {
      out = TcbStatus::kOutOfDateConfigurationNeeded;
    }
  }
  return out;
}

TcbStatus WithRelaunch(TcbStatus launch, TcbStatus current) {
  const auto out_of_date = [](TcbStatus s) {
    return s == TcbStatus::kOutOfDate || s == TcbStatus::kOutOfDateConfigurationNeeded;
  };
  const auto configuration = [](TcbStatus s) {
    return s == TcbStatus::kConfigurationNeeded ||
           s == TcbStatus::kConfigurationAndSwHardeningNeeded ||
           s == TcbStatus::kOutOfDateConfigurationNeeded;
  };
  if (launch == TcbStatus::kRevoked || current == TcbStatus::kRevoked) return TcbStatus::kRevoked;
  if (out_of_date(launch) && !out_of_date(current)) {
    return configuration(launch) || configuration(current)
               ? TcbStatus::kTdRelaunchAdvisedConfigurationNeeded
               : TcbStatus::kTdRelaunchAdvised;
  }
  // A module that is worse now than at launch must not hide behind the launch.
  return out_of_date(current) && !out_of_date(launch) ? current : launch;
}

void CheckModule(Checks& checks, const TdBody& body, const TcbInfo& info) {
  const uint8_t major = body.tee_tcb_svn[kModuleMajor];
  const ModuleIdentity* module = FindModule(info, major);
  const std::string id = major == 0 ? "tdxModule" : ModuleId(major);
  if (!checks.That(module != nullptr, Rule::kModuleIdentity, id,
                   module != nullptr ? id : "no such module identity")) {
    return;
  }
  checks.That(body.mrsignerseam == module->mrsigner, Rule::kModuleSigner, ToHex(module->mrsigner),
              ToHex(body.mrsignerseam));
  ByteArray<8> masked;
  for (size_t i = 0; i < masked.size(); ++i) {
    masked[i] = body.seam_attributes[i] & module->attributes_mask[i];
  }
  checks.That(masked == module->attributes && AllZero(body.seam_attributes),
              Rule::kModuleAttributes, ToHex(module->attributes) + ", and zero",
              ToHex(body.seam_attributes));
}

Check EvaluateTdxTcb(const TdxQuote& quote, const TdxTrust& trust, TcbResult& result) {
  Checks checks(Rule::kTdxTcb);
  const TdBody& body = quote.body;
  const Levels levels = FindLevels(trust, body.tee_tcb_svn);
  const SvnLevel* qe = FindSvnLevel(trust.qe.levels, quote.qe_report.isvsvn);
  result.mend = ShortText(trust, body.tee_tcb_svn, quote.qe_report.isvsvn);
  if (!CheckLevels(checks, body, trust, levels, qe, quote.qe_report.isvsvn, result.mend)) {
    return std::move(checks).Finish();
  }
  Grade grade = GradeOf(levels, *qe);
  if (!grade.status) {
    checks.Fail(Rule::kPlatformLevel, "a status that is known", levels.platform->grade.status_text);
    return std::move(checks).Finish();
  }
  TcbResult found = result;
  found.status = grade.status;
  found.current_status = grade.status;
  found.advisories = found.current_advisories = std::move(grade.advisories);
  found.date = grade.date;
  if (!body.td15 || CheckCurrent(checks, body, trust, *qe, *grade.status, found))
    result = std::move(found);
  return std::move(checks).Finish();
}

}  // namespace cce::attest
