#include "privacy_plane/api/routes.h"
#include "privacy_plane/volumes/volumes.h"

namespace cce::privacy_plane {
namespace {

constexpr std::array kVendors = {collateral::Vendor::kIntel, collateral::Vendor::kAmd};

std::string CollateralMetrics(const CollateralService::Status& status) {
  std::string text;
  const auto add = [&text](const std::string& name, std::string_view type,
                           const std::string& lines) {
    text += "# TYPE " + name + " " + std::string(type) + "\n" + lines;
  };
  const auto line = [](const std::string& name, const std::string& labels, int64_t value) {
    return name + (labels.empty() ? "" : "{" + labels + "}") + " " + std::to_string(value) + "\n";
  };
  const auto gauge = [&](const std::string& name, int64_t value) {
    add(name, "gauge", line(name, "", value));
  };
  gauge("cced_collateral_documents", static_cast<int64_t>(status.documents));
  gauge("cced_collateral_ending", static_cast<int64_t>(status.ending.size()));
  if (status.earliest_end) {
    gauge("cced_collateral_earliest_end_timestamp_seconds", *status.earliest_end);
  }
  std::string fetches, blocked;
  for (const collateral::Vendor vendor : kVendors) {
    const CollateralService::SourceStatus& source = status.sources[static_cast<size_t>(vendor)];
    if (!source.configured) continue;
    const std::string label = "source=\"" + std::string(VendorName(vendor)) + "\"";
    fetches += line("cced_collateral_fetches_total", label + ",outcome=\"good\"",
                    static_cast<int64_t>(source.fetched)) +
               line("cced_collateral_fetches_total", label + ",outcome=\"failed\"",
                    static_cast<int64_t>(source.failed));
    blocked += line("cced_collateral_source_blocked_seconds", label, source.blocked_seconds);
  }
  if (!fetches.empty()) {
    add("cced_collateral_fetches_total", "counter", fetches);
    add("cced_collateral_source_blocked_seconds", "gauge", blocked);
  }
  return text;
}

// Prometheus text format. Counts only: no name, address or id.
std::string Metrics(const Core& core) {
  std::map<std::string, size_t> jobs;
  size_t datasets = 0;
  size_t snapshots = 0;
  core.state->Read([&](const Tables& tables) {
    datasets = tables.datasets.size();
    for (const auto& [id, dataset] : tables.datasets) snapshots += dataset.snapshots.size();
    for (const auto& [id, job] : tables.jobs) {
      ++jobs[std::string(protocol::JobStateName(job.state))];
    }
  });
  std::string text = "# TYPE cced_jobs gauge\n";
  for (const auto& [state, count] : jobs) {
    text += "cced_jobs{state=\"" + state + "\"} " + std::to_string(count) + "\n";
  }
  const auto gauge = [&text](std::string_view name, uint64_t value) {
    text += "# TYPE " + std::string(name) + " gauge\n" + std::string(name) + " " +
            std::to_string(value) + "\n";
  };
  gauge("cced_datasets", datasets);
  gauge("cced_snapshots", snapshots);
  gauge("cced_journal_entries", core.state->journal().Size());
  gauge("cced_journal_unanchored_entries", core.state->journal().UnanchoredEntries());
  return text + CollateralMetrics(core.verifier->CollateralStatus());
}

json::object CollateralDetail(const CollateralService::Status& status) {
  json::array warnings;
  for (const CollateralService::Ending& ending : status.ending) {
    warnings.emplace_back(ending.document + " ends " + FormatTime(ending.until));
  }
  for (const collateral::Vendor vendor : kVendors) {
    const CollateralService::SourceStatus& source = status.sources[static_cast<size_t>(vendor)];
    if (source.last_error.empty()) continue;
    warnings.emplace_back("the service of " + std::string(VendorName(vendor)) + ": " +
                          source.last_error);
  }
  return {{"documents", status.documents},
          {"earliest_end", status.earliest_end ? json::value(FormatTime(*status.earliest_end))
                                               : json::value(nullptr)},
          {"warnings", std::move(warnings)}};
}

// Ready: keys can leave right now, as far as chain, clock, anchor and this machine's own collateral
// go, and the store answers.
Result<json::object> Ready(Core& core) {
  ASSIGN_OR_RETURN(const chain::Block block, core.chain->FinalBlock());
  ASSIGN_OR_RETURN(const UnixSeconds now, core.TrustedNow(block));
  TRY(core.CheckAnchored());
  if (core.volumes != nullptr) TRY(core.volumes->Health());
  const CollateralService::Status collateral = core.verifier->CollateralStatus();
  if (!collateral.own_in_force) {
    return Fail(MakeError("collateral.unavailable",
                          "no collateral in force for this machine: clients cannot verify it")
                    .Found(ToJson(CollateralDetail(collateral))));
  }
  return json::object{{"ready", true},
                      {"final_block", block.number},
                      {"time", FormatTime(now)},
                      {"collateral", CollateralDetail(collateral)}};
}

}  // namespace

net::Router MakeMonitor(Core& core) {
  net::Router router;
  router.Add("GET", "/health",
             [](net::Request&) { return net::Response::Json(json::object{{"alive", true}}); });
  router.Add("GET", "/ready", [&core](net::Request&) { return Answer(Ready(core)); });
  router.Add("GET", "/metrics", [&core](net::Request&) {
    return net::Response::Text(Metrics(core), "text/plain; version=0.0.4");
  });
  return router;
}

}  // namespace cce::privacy_plane
