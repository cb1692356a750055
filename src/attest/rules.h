// Rules by name. Internal to src/attest.
#pragma once

#include "attest/verdict.h"

namespace cce::attest {

enum class Rule {
#define CCE_RULE(name, id, title, source, code, mend) name,
#include "attest/rules.inc"
#undef CCE_RULE
};
const RuleInfo& InfoOf(Rule rule);

}  // namespace cce::attest
