// The life of datasets: lists, the owner's view, differences between snapshots.
#include <charconv>

#include "privacy_plane/api/routes.h"
#include "privacy_plane/datasets/owner_view.h"

namespace cce::privacy_plane {
namespace {

constexpr size_t kMaxListed = 1000;
constexpr size_t kMaxChanges = 10'000;

std::string QueryText(const net::Request& request, const std::string& name) {
  const auto it = request.query.find(name);
  return it == request.query.end() ? "" : it->second;
}

// A number from 1 to `max`; absent: `max`.
Result<size_t> QueryLimit(const net::Request& request, size_t max) {
  const std::string text = QueryText(request, "limit");
  if (text.empty()) return max;
  size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit == 0 || limit > max) {
    return Fail(MakeError("input.malformed", "limit is out of range")
                    .Expected("1 to " + std::to_string(max))
                    .Found(text));
  }
  return limit;
}

Result<json::object> List(const Core& core, const net::Request& request) {
  ASSIGN_OR_RETURN(const Wallet owner, protocol::AddressFromHex(QueryText(request, "owner")));
  DatasetId after{};
  if (const std::string text = QueryText(request, "after"); !text.empty()) {
    ASSIGN_OR_RETURN(after, protocol::AddressFromHex(text));
  }
  ASSIGN_OR_RETURN(const size_t limit, QueryLimit(request, kMaxListed));
  return core.state->Read(
      [&](const Tables& tables) { return ListDatasets(tables, owner, after, limit); });
}

// What names paths is for the owner alone: a reviewer's token does not open it.
Result<DatasetId> OwnersDataset(const Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const TokenRecord token, OwnerToken(modules, request));
  return modules.core.state->Read([&](const Tables& tables) -> Result<DatasetId> {
    const Wallet& owner = tables.datasets.at(token.dataset).owner;
    if (token.wallet != owner) {
      return Fail(MakeError("signin.not_owner", "this wallet does not own the dataset")
                      .Expected(protocol::AddressText(owner))
                      .Found(protocol::AddressText(token.wallet)));
    }
    return token.dataset;
  });
}

// Why work in the background does not go on at the moment.
void AddTrouble(const Modules& modules, const DatasetId& id, json::object& view) {
  if (const std::optional<Error> error = modules.maintenance.Trouble(id)) {
    view["trouble"] = json::object{{"code", error->code}, {"message", error->message}};
  }
}

Result<json::object> Show(const Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const DatasetId id, OwnersDataset(modules, request));
  json::object view = modules.core.state->Read([&](const Tables& tables) {
    return OwnerView(tables, tables.datasets.at(id), modules.core.config);
  });
  AddTrouble(modules, id, view);
  return view;
}

Result<json::object> Tasks(const Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const DatasetId id, OwnersDataset(modules, request));
  json::object view = modules.core.state->Read(
      [&](const Tables& tables) { return TasksView(tables.datasets.at(id)); });
  AddTrouble(modules, id, view);
  return view;
}

Result<json::object> Diff(const Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const DatasetId id, OwnersDataset(modules, request));
  ASSIGN_OR_RETURN(const auto from, ArrayFromHex<32>(QueryText(request, "from")));
  ASSIGN_OR_RETURN(const auto to, ArrayFromHex<32>(QueryText(request, "to")));
  ASSIGN_OR_RETURN(const size_t limit, QueryLimit(request, kMaxChanges));
  return modules.diffs.Page(id, from, to, QueryText(request, "after"), limit);
}

Result<json::object> Order(const Modules& modules, net::Request& request) {
  ASSIGN_OR_RETURN(const DatasetId id, protocol::AddressFromHex(request.params.at("dataset")));
  ASSIGN_OR_RETURN(const std::string text, Text(request));
  ASSIGN_OR_RETURN(const protocol::DatasetOrder order, protocol::ReadDatasetOrder(text));
  ASSIGN_OR_RETURN(const protocol::DatasetOrderReply reply, modules.orders.Take(id, order));
  return protocol::ToJsonObject(reply);
}

}  // namespace

void AddLifeRoutes(net::Router& router, Modules& modules) {
  router.Add("GET", "/v1/datasets",
             [&modules](net::Request& request) { return Answer(List(modules.core, request)); });
  router.Add("POST", "/v1/datasets/{dataset}/orders",
             [&modules](net::Request& request) { return Answer(Order(modules, request)); });
  router.Add("GET", "/v1/owner/{dataset}",
             [&modules](net::Request& request) { return Answer(Show(modules, request)); });
  router.Add("GET", "/v1/owner/{dataset}/tasks",
             [&modules](net::Request& request) { return Answer(Tasks(modules, request)); });
  router.Add("GET", "/v1/owner/{dataset}/diff",
             [&modules](net::Request& request) { return Answer(Diff(modules, request)); });
}

}  // namespace cce::privacy_plane
