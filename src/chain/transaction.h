// EIP-1559 transactions: bytes, signature, sending, and waiting until what happened is final.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>

#include "base/secret.h"
#include "chain/rpc.h"

namespace cce::chain {

struct Transaction {
  uint64_t chain_id = 0;
  uint64_t nonce = 0;
  U256 priority_fee;  // wei per gas
  U256 max_fee;       // wei per gas
  uint64_t gas_limit = 0;
  std::optional<EthAddress> to;  // none: contract creation
  U256 value;                    // wei
  Bytes data;
};

// 0x02 || RLP of the signed fields (EIP-2718, EIP-1559; empty access list): what
// eth_sendRawTransaction takes.
Result<Bytes> SignTransaction(const Transaction& transaction, const SecretBytes& key);
// The digest that is signed.
Hash32 TransactionSigningHash(const Transaction& transaction);
// A signed transaction's name.
Hash32 TransactionHash(ByteView signed_transaction);
// The address of the contract that `sender` creates with `nonce`.
EthAddress ContractAddress(const EthAddress& sender, uint64_t nonce);

struct SendProgress {
  enum class Stage { kSent, kMined, kWaiting, kFinal };
  Stage stage = Stage::kSent;
  Hash32 transaction{};
  uint64_t block = 0;        // the transaction's block (kMined and later)
  uint64_t final_block = 0;  // the newest final block (kWaiting, kFinal)
  int64_t elapsed_ms = 0;    // since the call
};
using SendCallback = std::function<void(const SendProgress&)>;

struct WaitOptions {
  int64_t timeout_ms = int64_t{20} * 60 * 1000;
  int64_t poll_ms = 500;
  std::stop_token stop;  // ends the wait with chain.not_final
};

struct SendRequest {
  std::optional<EthAddress> to;
  U256 value;
  Bytes data;
};

// Sends, waits for the receipt, then until its block is final at all endpoints and still holds it.
// `callback` may be empty; it is called from this thread. Errors: those of ChainClient;
// chain.insufficient_funds; chain.reverted (found before sending); chain.transaction_failed (mined,
// but reverted); chain.not_final (time is over: the transaction may still happen; `detail` holds
// its hash).
Result<Receipt> SendAndWait(ChainClient& client, const SecretBytes& key, const SendRequest& request,
                            const SendCallback& callback = {}, const WaitOptions& options = {});

// Waits until `block` is at or below the final block. Gives the final block.
Result<Block> WaitFinal(ChainClient& client, uint64_t block,
                        const std::function<void(const Block& final_block)>& callback = {},
                        const WaitOptions& options = {});

}  // namespace cce::chain
