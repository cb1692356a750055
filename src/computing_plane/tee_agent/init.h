// The agent is the first process of its machine: somebody must reap what the container's runtime
// leaves behind, and heed signals.
#pragma once

#include <functional>

namespace cce::tee_agent {

// Runs `work` in a child and returns its exit code (128 + signal where one ended it). This process
// keeps no descriptor but the standard ones, reaps every orphan, and ends the child at SIGTERM or
// SIGINT; the child ends with this process. Call before any thread exists.
int RunUnderInit(const std::function<int()>& work);

}  // namespace cce::tee_agent
