// A real OCI registry on this machine with one small container image: for tests.
#pragma once

#include <optional>
#include <string>

#include "base/subprocess.h"

namespace cce::executor {

class LocalRegistry {
 public:
  // Starts docker-registry in a folder of its own and pushes an image made of busybox and `probe`
  // (both statically linked) as "test/probe". Errors: subprocess.*, io.*.
  static Result<LocalRegistry> Start(const std::string& probe);
  LocalRegistry(LocalRegistry&&) = default;
  LocalRegistry& operator=(LocalRegistry&&) = default;
  ~LocalRegistry();

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  const std::string& digest() const { return digest_; }
  const std::string& folder() const {
    return folder_;
  }  // "data/" below it is the registry's storage

 private:
  LocalRegistry() = default;
  std::string folder_;
  uint16_t port_ = 0;
  std::string digest_;
  std::optional<Subprocess> process_;
};

}  // namespace cce::executor
