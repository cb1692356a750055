// Stands in for tee-agent in tests of launcher and relay: tries three names and tells `cced` what
// came of it.
#include <unistd.h>

#include <string>

#include "channel/launch_message.h"
#include "channel/tunnel_client.h"

namespace {

std::string Outcome(cce::channel::TunnelClient& tunnel, const std::string& name) {
  const auto connected = tunnel.Connect(name);
  return name + " " + (connected ? "ok" : connected.error().code) + "\n";
}

}  // namespace

int main() {
  cce::UniqueFd stream(3);
  const auto document = cce::channel::ReceiveLaunchDocument(stream.get());
  if (!document) return 1;
  auto tunnel = cce::channel::TunnelClient::Start(std::move(stream));
  if (!tunnel) return 2;
  std::string report = "launch " + std::string(cce::AsText(*document)) + "\n";
  for (const char* name : {"registry", "elsewhere"}) report += Outcome(**tunnel, name);
  auto cced = (*tunnel)->Connect("cced");
  if (!cced || !cce::WriteAll(cced->get(), cce::AsBytes(report))) return 3;
  cced->Reset();
  pause();
  return 0;
}
