// The journal's freshness source on chain: CheckpointAnchor's newest (size, root) of cced's chain
// key.
#pragma once

#include "base/secret.h"
#include "chain/anchor.h"
#include "tlog/freshness.h"

namespace cce::privacy_plane {

class ChainFreshness : public tlog::FreshnessSource {
 public:
  ChainFreshness(std::shared_ptr<chain::ChainClient> client, const chain::EthAddress& contract,
                 const SecretBytes& key, const chain::EthAddress& writer)
      : client_(client), anchor_(std::move(client), contract), key_(key), writer_(writer) {}

  Result<std::optional<tlog::Anchor>> Latest() override;
  Result<> Publish(const tlog::Anchor& anchor) override;

 private:
  std::shared_ptr<chain::ChainClient> client_;
  chain::CheckpointAnchor anchor_;
  const SecretBytes& key_;
  chain::EthAddress writer_;
};

}  // namespace cce::privacy_plane
