#include "privacy_plane/api/routes.h"

namespace cce::privacy_plane {
namespace {

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
  return text;
}

// Ready: keys can leave right now, as far as chain, clock and anchor go.
Result<json::object> Ready(Core& core) {
  ASSIGN_OR_RETURN(const chain::Block block, core.chain->FinalBlock());
  ASSIGN_OR_RETURN(const UnixSeconds now, core.TrustedNow(block));
  TRY(core.CheckAnchored());
  return json::object{{"ready", true}, {"final_block", block.number}, {"time", FormatTime(now)}};
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
