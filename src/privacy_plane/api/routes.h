// cced's HTTP API (docs/openapi.yaml): each route reads its message, calls one module, writes the
// answer.
#pragma once

#include "net/http_server.h"
#include "privacy_plane/api/sign_in.h"
#include "privacy_plane/compute_controller/controller.h"
#include "privacy_plane/compute_controller/key_release.h"
#include "privacy_plane/core.h"
#include "privacy_plane/datasets/datasets.h"
#include "privacy_plane/datasets/orders.h"
#include "privacy_plane/datasets/snapshot_diff.h"
#include "privacy_plane/output_gate/output_gate.h"

namespace cce::privacy_plane {

struct Modules {
  Core& core;
  SignIn& sign_in;
  Datasets& datasets;
  ComputeController& controller;
  KeyRelease& key_release;
  OutputGate& output_gate;
  SnapshotDiffs& diffs;
  Maintenance& maintenance;
  Orders& orders;
};

// `modules` must outlive the router.
net::Router MakeApi(Modules& modules);
void AddIdentityRoutes(net::Router& router, Modules& modules);
void AddDatasetRoutes(net::Router& router, Modules& modules);
void AddJobRoutes(net::Router& router, Modules& modules);
void AddCvmRoutes(net::Router& router, Modules& modules);
void AddOwnerRoutes(net::Router& router, Modules& modules);
void AddLifeRoutes(net::Router& router, Modules& modules);

// Health, readiness and metrics, for the monitor's own listener.
net::Router MakeMonitor(Core& core);

// The owner's (or a reviewer's) token, if it is for the dataset in the path.
Result<TokenRecord> OwnerToken(const Modules& modules, const net::Request& request);

// A JSON answer, or the error as a problem.
net::Response Answer(const Result<json::object>& result);
// The whole body as text.
Result<std::string> Text(net::Request& request, size_t max = net::Router::kDefaultMaxBody);

}  // namespace cce::privacy_plane
