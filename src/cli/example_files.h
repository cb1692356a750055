// The commented files that `init` commands write: deploy/examples, compiled in, with members set.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace cce::cli {

extern const std::string_view kExamplePolicy;  // deploy/examples/policy.toml
extern const std::string_view kExampleJob;     // deploy/examples/job.toml

// The example with the value of each named member replaced where it stands first ("name = ...");
// the comment after it stays. `value` is TOML.
std::string FillExample(std::string_view example,
                        const std::vector<std::pair<std::string, std::string>>& values);

// A new file of mode 0644; with `force` over an old one. Errors: cli.exists, io.*.
Result<> WriteNewFile(const std::string& path, std::string_view text, bool force);

}  // namespace cce::cli
