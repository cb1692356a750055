// Anchors of the audit log on chain: contracts/CheckpointAnchor.sol keeps the newest (size, root)
// of each writer; sizes only grow.
#pragma once

#include <memory>

#include "chain/rpc.h"
#include "chain/transaction.h"

namespace cce::chain {

struct Anchor {
  uint64_t size = 0;  // entries in the log; 0: the writer never anchored
  Hash32 root{};      // Merkle root of that many entries
};

// Thread-safe.
class CheckpointAnchor {
 public:
  CheckpointAnchor(std::shared_ptr<ChainClient> client, const EthAddress& contract)
      : client_(std::move(client)), contract_(contract) {}

  // The newest anchor of `writer` as of block `at`. Errors: those of ChainClient;
  // chain.no_contract.
  Result<Anchor> Latest(const EthAddress& writer, const Block& at);
  // The transaction that anchors: the contract reverts (chain.reverted) unless `size` is larger
  // than the last.
  SendRequest AnchorRequest(const Anchor& anchor) const;
  // Sends it and waits until it is final.
  Result<Receipt> Send(const SecretBytes& key, const Anchor& anchor,
                       const SendCallback& callback = {}, const WaitOptions& options = {});

  static Result<SendRequest> DeployRequest();

 private:
  std::shared_ptr<ChainClient> client_;
  EthAddress contract_;
};

}  // namespace cce::chain
