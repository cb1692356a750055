// cced's side of the launcher's API (protocol/machine.h). Thread-safe: each call is a connection of
// its own.
#pragma once

#include "crypto/p256.h"
#include "net/tls.h"
#include "protocol/machine.h"

namespace cce::privacy_plane {

class LauncherClient {
 public:
  // `own_key`: cced's TLS key, by which the launcher knows it. `launcher_key`: the launcher's.
  LauncherClient(std::string url, const crypto::P256PrivateKey& own_key, net::SpkiHash launcher_key)
      : url_(std::move(url)), own_key_(own_key), launcher_key_(launcher_key) {}

  // Errors: launcher.unreachable, and what the launcher answers.
  Result<protocol::MachineState> Start(const protocol::MachineRequest& request) const;
  Result<protocol::MachineState> Renew(const ByteArray<16>& machine) const;
  Result<protocol::MachineState> End(const ByteArray<16>& machine) const;

 private:
  Result<protocol::MachineState> Call(const std::string& method, const std::string& path,
                                      const json::value& body) const;

  const std::string url_;
  const crypto::P256PrivateKey& own_key_;
  const net::SpkiHash launcher_key_;
};

}  // namespace cce::privacy_plane
