// The owner's (or a reviewer's) side of a dataset at cced: one sign-in, its token kept in the
// configuration folder (owners/<dataset>-<wallet>.toml, 0600) until it expires.
#pragma once

#include "cli/client.h"

namespace cce::cli {

class OwnerClient {
 public:
  // Errors: those of Client::Connect, signin.*, wallet.*, input.malformed (`dataset` is no
  // address).
  static Result<OwnerClient> Connect(const Settings& settings, const std::string& dataset);

  const protocol::DatasetId& dataset() const { return dataset_; }
  Client& client() { return client_; }

  Result<json::array> Jobs();
  // `id`: 32 hex digits or an unambiguous beginning. Error: job.unknown.
  Result<json::object> Job(const std::string& id);
  // Below /v1/owner/<dataset>.
  Result<json::object> Get(const std::string& path);
  // `id`: 64 hex digits or an unambiguous beginning. Error: dataset.unknown_snapshot.
  Result<protocol::SnapshotId> Snapshot(const std::string& id);
  Result<json::object> Post(const std::string& path, const json::object& body);

 private:
  OwnerClient(Client client, const Settings& settings)
      : client_(std::move(client)), settings_(settings) {}
  Result<> SignIn();
  Result<> LoadToken();
  Result<std::string> TokenPath() const;
  Result<json::object> Ask(const std::string& method, const std::string& path,
                           const json::object& body);

  Client client_;
  Settings settings_;
  protocol::DatasetId dataset_{};
  std::string token_;
};

}  // namespace cce::cli
