// A job as its dataset's owner sees it (GET /v1/owner/<dataset>/jobs/<job>), in text: stages,
// refusals with their verdict's tree, the gate's findings.
#pragma once

#include <string>

#include "base/json.h"

namespace cce::cli {

// Everything that `job` holds; members that are absent are left out.
std::string OwnerJobText(const json::object& job);
// One line of a list.
std::string OwnerJobLine(const json::object& job);
// An attestation verdict in its JSON form, as a tree: what failed, or all of it.
std::string VerdictText(const json::object& verdict, bool all);

}  // namespace cce::cli
