// Reading and writing an Ethereum chain over JSON-RPC, through one or more endpoints that are not
// trusted one by one: what is read must be equal at all of them. One endpoint alone is for
// development.
//
// Reads name a block, and that block is one on which all endpoints agree (FinalBlock); calls are
// pinned to its hash (EIP-1898), so that every answer of one decision belongs to one state of the
// chain.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "chain/abi.h"
#include "chain/u256.h"

namespace cce::chain {

struct Block {
  uint64_t number = 0;
  Hash32 hash{};
  UnixSeconds time = 0;
  std::optional<U256> base_fee;  // wei per gas

  bool SameAs(const Block& other) const { return number == other.number && hash == other.hash; }
};

// What counts as final: the chain's own "finalized" or "safe", its head, or N blocks below the
// head.
struct Finality {
  enum class Kind { kFinalized, kSafe, kLatest, kConfirmations };
  Kind kind = Kind::kFinalized;
  uint64_t confirmations = 0;

  // "finalized", "safe", "latest", or a decimal number of confirmations (1 .. 10000). Errors:
  // input.malformed.
  static Result<Finality> Parse(std::string_view text);
  std::string ToString() const;
};

// One endpoint: takes a JSON-RPC request's text, gives the answer's. Implementations are
// thread-safe.
class RpcTransport {
 public:
  virtual ~RpcTransport() = default;
  // Errors: chain.unreachable.
  virtual Result<std::string> Post(std::string_view request) = 0;
  // Host and port for error texts: never credentials, path or query of a URL.
  virtual std::string name() const = 0;
};

struct ChainOptions {
  uint64_t chain_id = 0;               // every endpoint must serve this chain
  std::vector<std::string> endpoints;  // http(s) URLs
  Finality finality;
  int timeout_ms = 10'000;  // for one request
  std::string ca_file;      // PEM roots for https; empty: the system's
  uint64_t max_lag = 128;   // endpoints' final blocks may lie this far apart
};

struct Receipt {
  Hash32 transaction{};
  uint64_t block_number = 0;
  Hash32 block_hash{};
  bool succeeded = false;
  uint64_t gas_used = 0;
  std::optional<EthAddress> contract;  // of a contract creation

  friend bool operator==(const Receipt&, const Receipt&) = default;
};

struct CallRequest {
  std::optional<EthAddress> from;
  std::optional<EthAddress> to;  // none: contract creation
  U256 value;
  Bytes data;
};

// Thread-safe. Errors of every method: chain.unreachable (some endpoint does not answer),
// chain.disagreement, chain.malformed (an answer is not of the form), chain.refused (an endpoint's
// own error answer), chain.wrong_chain.
class ChainClient {
 public:
  // Connects to nothing yet. Errors: config.invalid (no endpoint, not a URL, the same endpoint
  // twice).
  static Result<std::shared_ptr<ChainClient>> New(const ChainOptions& options);
  static Result<std::shared_ptr<ChainClient>> NewWith(
      const ChainOptions& options, std::vector<std::shared_ptr<RpcTransport>> endpoints);

  ~ChainClient();

  const ChainOptions& options() const { return options_; }
  uint64_t chain_id() const { return options_.chain_id; }
  bool SingleEndpoint() const { return endpoints_.size() == 1; }  // a development part

  // The newest block that is final at all endpoints, and whose hash is the same at all of them.
  // They may be at most options.max_lag blocks apart (chain.disagreement beyond). How near its time
  // must be to the clock is the caller's rule.
  Result<Block> FinalBlock();
  // The newest block that all endpoints have.
  Result<Block> LatestBlock();
  // The block at this height, agreed on; none where some endpoint does not have it yet.
  Result<std::optional<Block>> BlockAt(uint64_t number);

  // eth_call at a block; equal at all endpoints. Data of at most 64 KiB. chain.reverted where the
  // contract reverts (the revert data's selector stands in `found`).
  Result<Bytes> Call(const EthAddress& to, ByteView data, const Block& at);
  Result<Bytes> Code(const EthAddress& address, const Block& at);
  Result<U256> Balance(const EthAddress& address, const Block& at);

  // Hints for building a transaction: from the first endpoint that answers.
  Result<uint64_t> PendingNonce(const EthAddress& address);
  struct Fees {
    U256 max_fee;       // wei per gas: twice the head's base fee and the tip
    U256 priority_fee;  // wei per gas
  };
  Result<Fees> SuggestFees();
  Result<uint64_t> EstimateGas(const CallRequest& request);  // chain.reverted
  // Hands a signed transaction to the endpoints; one that takes (or already has) it is enough.
  Result<> SendRaw(ByteView transaction);
  // None where no endpoint knows the receipt yet. A hint, like the others.
  Result<std::optional<Receipt>> ReceiptOf(const Hash32& transaction);
  // The receipt on which all endpoints agree; none where one of them does not have it.
  Result<std::optional<Receipt>> AgreedReceipt(const Hash32& transaction);

 private:
  class Endpoint;
  explicit ChainClient(const ChainOptions& options);

  Result<> CheckChain();
  Result<Block> Agree(const std::vector<Block>& heads);
  Result<Bytes> SameData(std::string_view method, const json::array& params);
  template <typename T>
  Result<T> FirstThatAnswers(const std::function<Result<T>(Endpoint&)>& ask);

  ChainOptions options_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
};

}  // namespace cce::chain
