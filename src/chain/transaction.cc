#include "chain/transaction.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "chain/rlp.h"
#include "crypto/hash.h"
#include "crypto/secp256k1.h"

namespace cce::chain {
namespace {

constexpr uint8_t kTypeEip1559 = 0x02;
constexpr size_t kMaxTransactionData = size_t{128} * 1024;
// Estimates vary with the state at inclusion: a fifth more.
constexpr uint64_t WithMargin(uint64_t gas) { return gas + gas / 5; }

std::vector<Bytes> RlpFields(const Transaction& t) {
  return {RlpUint(t.chain_id), RlpUint(t.nonce),     RlpUint(t.priority_fee),
          RlpUint(t.max_fee),  RlpUint(t.gas_limit), RlpBytes(t.to ? ByteView(*t.to) : ByteView()),
          RlpUint(t.value),    RlpBytes(t.data),     RlpList({})};
}

Bytes Typed(const std::vector<Bytes>& fields) {
  Bytes out = {kTypeEip1559};
  Append(out, RlpList(fields));
  return out;
}

U256 ScalarOf(ByteView bytes32) {
  U256 out;
  std::copy(bytes32.begin(), bytes32.end(), out.bytes.begin());
  return out;
}

// Time and the patience of one wait.
class Waiter {
 public:
  explicit Waiter(const WaitOptions& options)
      : options_(options), start_(std::chrono::steady_clock::now()) {}

  int64_t ElapsedMs() const {
    const auto passed = std::chrono::steady_clock::now() - start_;
    return std::chrono::duration_cast<std::chrono::milliseconds>(passed).count();
  }

  // One poll interval; false when time is over or the wait was stopped.
  bool Pause() {
    if (options_.stop.stop_requested() || ElapsedMs() >= options_.timeout_ms) return false;
    std::unique_lock lock(mutex_);
    const auto interval =
        std::chrono::milliseconds(std::clamp<int64_t>(options_.poll_ms, 1, 60'000));
    wake_.wait_for(lock, options_.stop, interval, [] { return false; });
    return !options_.stop.stop_requested();
  }

  // Endpoints that fail for a moment do not end a wait.
  Result<> Tolerate(const Error& error) {
    if (error.code != "chain.unreachable" && error.code != "chain.disagreement" &&
        error.code != "chain.refused") {
      return Fail(error);
    }
    last_ = error.message;
    return {};
  }

  Unexpected NotFinal(std::string what) const {
    Error error = MakeError("chain.not_final", std::move(what));
    error.expected = "final within " + std::to_string(options_.timeout_ms / 1000) + " s";
    error.found = last_;
    return Fail(std::move(error));
  }

 private:
  const WaitOptions& options_;
  const std::chrono::steady_clock::time_point start_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::string last_;
};

// One sending, step by step.
class Sending {
 public:
  Sending(ChainClient& client, const SendCallback& callback, const WaitOptions& options)
      : client_(client), callback_(callback), waiter_(options) {}

  Result<Transaction> Prepare(const EthAddress& sender, const SendRequest& request) {
    if (request.data.size() > kMaxTransactionData) {
      return Fail("input.too_large", "a transaction's data is larger than 128 KiB");
    }
    Transaction t{.chain_id = client_.chain_id(),
                  .to = request.to,
                  .value = request.value,
                  .data = request.data};
    ASSIGN_OR_RETURN(const Block head, client_.LatestBlock());
    ASSIGN_OR_RETURN(const U256 balance, client_.Balance(sender, head));
    TRY(CheckFunds(sender, balance, request.value));
    ASSIGN_OR_RETURN(t.nonce, client_.PendingNonce(sender));
    ASSIGN_OR_RETURN(const ChainClient::Fees fees, client_.SuggestFees());
    t.max_fee = fees.max_fee;
    t.priority_fee = fees.priority_fee;
    ASSIGN_OR_RETURN(
        const uint64_t gas,
        client_.EstimateGas(
            {.from = sender, .to = request.to, .value = request.value, .data = request.data}));
    if (gas > (uint64_t{1} << 40)) return Fail("chain.malformed", "a gas estimate is absurd");
    t.gas_limit = WithMargin(gas);
    ASSIGN_OR_RETURN(const U256 fee, t.max_fee.Times(t.gas_limit));
    ASSIGN_OR_RETURN(const U256 cost, fee.Plus(t.value));
    TRY(CheckFunds(sender, balance, cost));
    return t;
  }

  // Any error from here on names the transaction: it may still happen.
  Result<Receipt> Send(ByteView raw) {
    hash_ = TransactionHash(raw);
    auto receipt = SendAndFollow(raw);
    if (!receipt && receipt.error().detail.empty()) receipt.error().detail = Name();
    return receipt;
  }

 private:
  static Result<> CheckFunds(const EthAddress& sender, const U256& balance, const U256& cost) {
    if (balance >= cost) return {};
    return Fail(MakeError("chain.insufficient_funds",
                          "wallet " + FormatAddress(sender) + " cannot pay the transaction")
                    .Expected("at least " + FormatWei(cost))
                    .Found(FormatWei(balance)));
  }

  Result<Receipt> SendAndFollow(ByteView raw) {
    TRY(client_.SendRaw(raw));
    Tell(SendProgress::Stage::kSent, 0, 0);
    ASSIGN_OR_RETURN(Receipt receipt, WaitMined());
    Tell(SendProgress::Stage::kMined, receipt.block_number, 0);
    ASSIGN_OR_RETURN(receipt, WaitSettled(receipt));
    if (receipt.succeeded) return receipt;
    return Fail("chain.transaction_failed", "the transaction was mined in block " +
                                                std::to_string(receipt.block_number) +
                                                ", but its call failed");
  }

  std::string Name() const { return "transaction 0x" + ToHex(hash_); }

  void Tell(SendProgress::Stage stage, uint64_t block, uint64_t final_block) {
    if (!callback_) return;
    callback_({.stage = stage,
               .transaction = hash_,
               .block = block,
               .final_block = final_block,
               .elapsed_ms = waiter_.ElapsedMs()});
  }

  Result<Receipt> WaitMined() {
    do {
      const auto answer = client_.ReceiptOf(hash_);
      if (!answer) {
        TRY(waiter_.Tolerate(answer.error()));
      } else if (const std::optional<Receipt>& receipt = *answer; receipt) {
        return *receipt;
      }
    } while (waiter_.Pause());
    return waiter_.NotFinal(Name() + " was not mined in time");
  }

  // The receipt, once all endpoints agree on it and on its block, and that block is final.
  Result<Receipt> WaitSettled(Receipt receipt) {
    do {
      const auto settled = Settled(receipt);
      if (settled && *settled) return receipt;
      if (!settled) TRY(waiter_.Tolerate(settled.error()));
    } while (waiter_.Pause());
    return waiter_.NotFinal(Name() + " in block " + std::to_string(receipt.block_number) +
                            " did not become final in time");
  }

  Result<bool> Settled(Receipt& receipt) {
    ASSIGN_OR_RETURN(const Block final_block, client_.FinalBlock());
    const bool deep_enough = final_block.number >= receipt.block_number;
    Tell(SendProgress::Stage::kWaiting, receipt.block_number, final_block.number);
    if (!deep_enough) return false;
    ASSIGN_OR_RETURN(const std::optional<Receipt> agreed, client_.AgreedReceipt(hash_));
    if (!agreed) return false;
    receipt = *agreed;  // a reorganisation may have moved it
    if (final_block.number < receipt.block_number) return false;
    ASSIGN_OR_RETURN(const std::optional<Block> block, client_.BlockAt(receipt.block_number));
    if (!block || block->hash != receipt.block_hash) return false;
    Tell(SendProgress::Stage::kFinal, receipt.block_number, final_block.number);
    return true;
  }

  ChainClient& client_;
  const SendCallback& callback_;
  Waiter waiter_;
  Hash32 hash_{};
};

}  // namespace

Hash32 TransactionSigningHash(const Transaction& transaction) {
  return crypto::Keccak256(Typed(RlpFields(transaction)));
}

Result<Bytes> SignTransaction(const Transaction& transaction, const SecretBytes& key) {
  ASSIGN_OR_RETURN(const crypto::EthSignature signature,
                   crypto::EthSignDigest(key, TransactionSigningHash(transaction)));
  const ByteView view = signature;
  std::vector<Bytes> fields = RlpFields(transaction);
  fields.push_back(RlpUint(uint64_t{signature[64]} - 27));  // y parity
  fields.push_back(RlpUint(ScalarOf(view.first(32))));
  fields.push_back(RlpUint(ScalarOf(view.subspan(32, 32))));
  return Typed(fields);
}

Hash32 TransactionHash(ByteView signed_transaction) {
  return crypto::Keccak256(signed_transaction);
}

EthAddress ContractAddress(const EthAddress& sender, uint64_t nonce) {
  const Hash32 hash = crypto::Keccak256(RlpList({RlpBytes(sender), RlpUint(nonce)}));
  EthAddress out;
  std::copy(hash.begin() + 12, hash.end(), out.begin());
  return out;
}

Result<Receipt> SendAndWait(ChainClient& client, const SecretBytes& key, const SendRequest& request,
                            const SendCallback& callback, const WaitOptions& options) {
  ASSIGN_OR_RETURN(const EthAddress sender, crypto::EthAddressOf(key));
  Sending sending(client, callback, options);
  ASSIGN_OR_RETURN(const Transaction transaction, sending.Prepare(sender, request));
  ASSIGN_OR_RETURN(const Bytes raw, SignTransaction(transaction, key));
  return sending.Send(raw);
}

Result<Block> WaitFinal(ChainClient& client, uint64_t block,
                        const std::function<void(const Block& final_block)>& callback,
                        const WaitOptions& options) {
  Waiter waiter(options);
  do {
    const auto final_block = client.FinalBlock();
    if (final_block) {
      if (callback) callback(*final_block);
      if (final_block->number >= block) return *final_block;
    } else {
      TRY(waiter.Tolerate(final_block.error()));
    }
  } while (waiter.Pause());
  return waiter.NotFinal("block " + std::to_string(block) + " did not become final in time");
}

}  // namespace cce::chain
