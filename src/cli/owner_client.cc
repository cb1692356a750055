#include "cli/owner_client.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/toml.h"
#include "chain/abi.h"
#include "cli/json_view.h"

namespace cce::cli {

Result<OwnerClient> OwnerClient::Connect(const Settings& settings, const std::string& dataset) {
  ASSIGN_OR_RETURN(const chain::EthAddress id, chain::ParseAddress(dataset));
  ASSIGN_OR_RETURN(Client client, Client::Connect(settings));
  OwnerClient owner(std::move(client), settings);
  owner.dataset_ = id;
  TRY(owner.LoadToken());
  if (owner.token_.empty()) TRY(owner.SignIn());
  return owner;
}

Result<std::string> OwnerClient::TokenPath() const {
  ASSIGN_OR_RETURN(const std::string folder, StateFolder(settings_, "owners"));
  ASSIGN_OR_RETURN(const chain::EthAddress wallet, WalletAddress(settings_));
  return folder + "/" + ToHex(dataset_) + "-" + ToHex(wallet) + ".toml";
}

Result<> OwnerClient::LoadToken() {
  ASSIGN_OR_RETURN(const std::string path, TokenPath());
  const Result<Document> document = LoadToml(path);
  if (!document) {
    if (document.error().code == "io.not_found") return {};
    return Fail(document.error());
  }
  Fields f(*document);
  const std::string server = f.String("server", {.max = 1024});
  const std::string token = f.String("token", {.min = 16, .max = 256});
  const auto expires_at = static_cast<UnixSeconds>(f.Uint("expires_at", {.max = INT64_MAX}));
  TRY(f.Finish());
  if (server == client_.server() && expires_at > SystemClock().Now() + 60) token_ = token;
  return {};
}

Result<> OwnerClient::SignIn() {
  ASSIGN_OR_RETURN(const Wallet wallet, OpenWallet(settings_));
  ASSIGN_OR_RETURN(const protocol::TokenReply reply,
                   client_.Token(wallet, protocol::OwnerResource(dataset_),
                                 "See this dataset's jobs as its owner or reviewer for 8 hours."));
  token_ = reply.token;
  ASSIGN_OR_RETURN(const std::string path, TokenPath());
  const std::string text =
      ToToml({{"server", client_.server()}, {"token", token_}, {"expires_at", reply.expires_at}});
  return WriteFileAtomic(path, AsBytes(text), 0600);
}

Result<json::object> OwnerClient::Ask(const std::string& method, const std::string& path,
                                      const json::object& body) {
  const auto send = [&] {
    return method == "GET" ? client_.Get(path, token_) : client_.Send(method, path, token_, body);
  };
  Result<std::string> text = send();
  if (!text && text.error().code == "signin.token") {  // revoked, or cced's state is another
    TRY(SignIn());
    text = send();
  }
  if (!text) return Fail(std::move(text).error());
  ASSIGN_OR_RETURN(json::value value, ParseJson(*text, {.max_bytes = size_t{64} << 20}));
  if (!value.is_object()) return Fail("net.bad_answer", "cced's answer is no JSON object");
  return std::move(value.get_object());
}

Result<json::array> OwnerClient::Jobs() {
  ASSIGN_OR_RETURN(json::object answer,
                   Ask("GET", "/v1/owner/" + protocol::AddressText(dataset_) + "/jobs", {}));
  json::value* jobs = answer.if_contains("jobs");
  if (jobs == nullptr || !jobs->is_array()) {
    return Fail("net.bad_answer", "cced's answer holds no list of jobs");
  }
  return std::move(jobs->get_array());
}

Result<json::object> OwnerClient::Job(const std::string& id) {
  std::string whole = id;
  if (id.size() < 32) {
    ASSIGN_OR_RETURN(const json::array jobs, Jobs());
    size_t matches = 0;
    for (const json::value& job : jobs) {
      const json::object* object = job.if_object();
      const json::value* name = object == nullptr ? nullptr : object->if_contains("job");
      if (name == nullptr || !name->is_string()) continue;
      const std::string_view text = name->get_string();
      if (!text.starts_with(id)) continue;
      ++matches;
      whole = std::string(text);
    }
    if (matches != 1) {
      return Fail(MakeError("job.unknown",
                            matches == 0 ? "the dataset has no such job" : "several jobs begin so")
                      .Found(id));
    }
  }
  TRY(ArrayFromHex<16>(whole));
  return Ask("GET", "/v1/owner/" + protocol::AddressText(dataset_) + "/jobs/" + whole, {});
}

Result<json::object> OwnerClient::Get(const std::string& path) {
  return Ask("GET", "/v1/owner/" + protocol::AddressText(dataset_) + path, {});
}

Result<protocol::SnapshotId> OwnerClient::Snapshot(const std::string& id) {
  if (id.size() >= 64) return ArrayFromHex<32>(id);
  ASSIGN_OR_RETURN(const json::object view, Get(""));
  std::string whole;
  size_t matches = 0;
  for (const json::value& snapshot : ListOf(view, "snapshots")) {
    const std::string name = TextOf(ObjectOf(snapshot), "id");
    if (!name.starts_with(id)) continue;
    ++matches;
    whole = name;
  }
  if (matches != 1) {
    return Fail(MakeError("dataset.unknown_snapshot", matches == 0
                                                          ? "the dataset has no such snapshot"
                                                          : "several snapshots begin so")
                    .Found(id));
  }
  return ArrayFromHex<32>(whole);
}

Result<json::object> OwnerClient::Post(const std::string& path, const json::object& body) {
  return Ask("POST", "/v1/owner/" + protocol::AddressText(dataset_) + path, body);
}

}  // namespace cce::cli
