#include "host/relay/relay_order.h"

#include <charconv>

#include "base/json.h"

namespace cce::relay {

std::string EncodeRelayOrder(const RelayOrder& order) {
  json::object targets;
  for (const auto& [name, target] : order.targets) targets[name] = target;
  return ToJson(json::object{{"machine", order.machine},
                             {"targets", std::move(targets)},
                             {"allowed", json::array(order.allowed.begin(), order.allowed.end())},
                             {"user_id", order.user_id}});
}

Result<RelayOrder> DecodeRelayOrder(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "relay order"));
  Fields f(document);
  RelayOrder order;
  order.machine = f.String("machine", {.min = 1, .max = 64});
  Fields targets = f.Object("targets");
  for (const std::string& name : targets.Keys()) {
    order.targets[name] = targets.String(name, {.min = 1, .max = 256});
  }
  order.allowed = f.Strings("allowed", {.max = 16, .max_item = 32});
  order.user_id = static_cast<uint32_t>(f.Uint("user_id", {.min = 1, .max = UINT32_MAX - 1}));
  TRY(f.Finish());
  return order;
}

Result<RelayTarget> ParseRelayTarget(std::string_view text) {
  RelayTarget out;
  if (text.starts_with("unix:/")) {
    out.unix_path = text.substr(5);
    return out;
  }
  const size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && colon > 0) {
    const std::string_view port = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    out.host = text.substr(0, colon);
    if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
      out.host = out.host.substr(1, out.host.size() - 2);
    }
    if (error == std::errc() && end == port.data() + port.size() && out.port != 0) return out;
  }
  return Fail(MakeError("config.invalid", "a relay target is malformed")
                  .Expected("host:port, [v6]:port or unix:/path")
                  .Found(std::string(text)));
}

}  // namespace cce::relay
