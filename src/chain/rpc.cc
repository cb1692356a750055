#include "chain/rpc.h"

#include <atomic>
#include <charconv>
#include <set>

#include "chain/rpc_answers.h"
#include "chain/rpc_http.h"

namespace cce::chain {
namespace {

constexpr size_t kMaxCallData =
    size_t{64} * 1024;  // of eth_call answers and of code (EIP-170: 24 KiB)
constexpr uint64_t kMaxConfirmations = 10'000;

std::string Hex(ByteView bytes) { return "0x" + ToHex(bytes); }
std::string Quantity(uint64_t value) { return U256::From(value).ToQuantity(); }

// EIP-1898.
json::object At(const Block& block) {
  return {{"blockHash", Hex(block.hash)}, {"requireCanonical", true}};
}

json::object CallObject(const CallRequest& request) {
  json::object out;
  if (request.from) out["from"] = Hex(*request.from);
  if (request.to) out["to"] = Hex(*request.to);
  if (request.value != U256()) out["value"] = request.value.ToQuantity();
  out["data"] = Hex(request.data);
  return out;
}

std::string Named(const std::string& name, const Block& block) {
  return name + ": block " + std::to_string(block.number) + " " + Hex(block.hash);
}

Unexpected Disagree(std::string what, std::string one, std::string other) {
  return Fail(MakeError("chain.disagreement", "chain endpoints disagree on " + std::move(what))
                  .Expected(std::move(one))
                  .Found(std::move(other)));
}

}  // namespace

Result<Finality> Finality::Parse(std::string_view text) {
  if (text == "finalized") return Finality{.kind = Kind::kFinalized};
  if (text == "safe") return Finality{.kind = Kind::kSafe};
  if (text == "latest") return Finality{.kind = Kind::kLatest};
  uint64_t blocks = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), blocks);
  if (error != std::errc() || end != text.data() + text.size() || blocks < 1 ||
      blocks > kMaxConfirmations) {
    return Fail(MakeError("input.malformed", "a finality setting is not known")
                    .Expected("finalized, safe, latest, or 1 to 10000 confirmations")
                    .Found(std::string(text.substr(0, 40))));
  }
  return Finality{.kind = Kind::kConfirmations, .confirmations = blocks};
}

std::string Finality::ToString() const {
  switch (kind) {
    case Kind::kFinalized:
      return "finalized";
    case Kind::kSafe:
      return "safe";
    case Kind::kLatest:
      return "latest";
    case Kind::kConfirmations:
      break;
  }
  return std::to_string(confirmations);
}

// One endpoint with the requests that we make. Thread-safe.
class ChainClient::Endpoint {
 public:
  explicit Endpoint(std::shared_ptr<RpcTransport> transport)
      : transport_(std::move(transport)), name_(transport_->name()) {}

  const std::string& name() const { return name_; }

  Result<json::value> Ask(std::string_view method, const json::array& params) {
    const uint64_t id = ++last_id_;
    const std::string request = ToJson(
        json::object{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}});
    ASSIGN_OR_RETURN(const std::string answer, transport_->Post(request));
    return ParseAnswer(answer, id, name_);
  }

  Result<std::optional<Block>> BlockBy(const std::string& tag_or_number) {
    ASSIGN_OR_RETURN(const json::value answer,
                     Ask("eth_getBlockByNumber", {json::value(tag_or_number), false}));
    return ParseBlock(answer);
  }

  Result<std::optional<Block>> BlockAt(uint64_t number) {
    ASSIGN_OR_RETURN(const std::optional<Block> block, BlockBy(Quantity(number)));
    if (block && block->number != number) {
      return Fail("chain.malformed", name_ + " gave another block than it was asked for");
    }
    return block;
  }

  Result<Block> Head(const std::string& tag) {
    ASSIGN_OR_RETURN(const std::optional<Block> block, BlockBy(tag));
    if (!block) return Fail("chain.refused", name_ + " has no " + tag + " block");
    return *block;
  }

  Result<Block> Final(const Finality& finality) {
    if (finality.kind != Finality::Kind::kConfirmations) return Head(finality.ToString());
    ASSIGN_OR_RETURN(const Block head, Head("latest"));
    const uint64_t depth = std::min(head.number, finality.confirmations);
    ASSIGN_OR_RETURN(const std::optional<Block> block, BlockAt(head.number - depth));
    if (!block) return Fail("chain.refused", name_ + " does not have a block below its head");
    return *block;
  }

  Result<> CheckChain(uint64_t chain_id) {
    if (checked_) return {};
    ASSIGN_OR_RETURN(const json::value answer, Ask("eth_chainId", {}));
    ASSIGN_OR_RETURN(const uint64_t found, ParseQuantity(answer));
    if (found != chain_id) {
      return Fail(MakeError("chain.wrong_chain", name_ + " serves another chain")
                      .Expected(std::to_string(chain_id))
                      .Found(std::to_string(found)));
    }
    checked_ = true;
    return {};
  }

  Result<std::optional<Receipt>> ReceiptOf(const Hash32& transaction) {
    ASSIGN_OR_RETURN(const json::value answer,
                     Ask("eth_getTransactionReceipt", {json::value(Hex(transaction))}));
    ASSIGN_OR_RETURN(const std::optional<Receipt> receipt, ParseReceipt(answer));
    if (receipt && receipt->transaction != transaction) {
      return Fail("chain.malformed", name_ + " gave the receipt of another transaction");
    }
    return receipt;
  }

 private:
  const std::shared_ptr<RpcTransport> transport_;
  const std::string name_;
  std::atomic<uint64_t> last_id_ = 0;
  std::atomic<bool> checked_ = false;
};

ChainClient::ChainClient(const ChainOptions& options) : options_(options) {}
ChainClient::~ChainClient() = default;

Result<std::shared_ptr<ChainClient>> ChainClient::New(const ChainOptions& options) {
  if (std::set<std::string>(options.endpoints.begin(), options.endpoints.end()).size() !=
      options.endpoints.size()) {
    return Fail("config.invalid", "a chain endpoint is named twice: that adds no second opinion");
  }
  std::vector<std::shared_ptr<RpcTransport>> transports;
  for (const std::string& url : options.endpoints) {
    ASSIGN_OR_RETURN(auto transport, NewHttpTransport(url, options.timeout_ms, options.ca_file));
    transports.push_back(std::move(transport));
  }
  return NewWith(options, std::move(transports));
}

Result<std::shared_ptr<ChainClient>> ChainClient::NewWith(
    const ChainOptions& options, std::vector<std::shared_ptr<RpcTransport>> endpoints) {
  if (endpoints.empty()) return Fail("config.invalid", "no chain endpoint is named");
  if (options.chain_id == 0) return Fail("config.invalid", "no chain id is named");
  std::shared_ptr<ChainClient> client(new ChainClient(options));
  for (auto& transport : endpoints) {
    client->endpoints_.push_back(std::make_unique<Endpoint>(std::move(transport)));
  }
  return client;
}

Result<> ChainClient::CheckChain() {
  for (const auto& endpoint : endpoints_) TRY(endpoint->CheckChain(options_.chain_id));
  return {};
}

// Takes the lowest of the endpoints' blocks and has all others show theirs at that height.
Result<Block> ChainClient::Agree(const std::vector<Block>& heads) {
  const auto by_number = [](const Block& a, const Block& b) { return a.number < b.number; };
  const auto [low, high] = std::minmax_element(heads.begin(), heads.end(), by_number);
  const std::string low_name = endpoints_[static_cast<size_t>(low - heads.begin())]->name();
  if (high->number - low->number > options_.max_lag) {
    return Disagree(
        "how far the chain is (more than " + std::to_string(options_.max_lag) + " blocks apart)",
        Named(endpoints_[static_cast<size_t>(high - heads.begin())]->name(), *high),
        Named(low_name, *low));
  }
  for (size_t i = 0; i < heads.size(); ++i) {
    std::optional<Block> block = heads[i];
    if (block->number != low->number) {
      ASSIGN_OR_RETURN(block, endpoints_[i]->BlockAt(low->number));
    }
    if (!block) {
      return Disagree("a block", Named(low_name, *low), endpoints_[i]->name() + " lacks it");
    }
    if (!block->SameAs(*low) || block->time != low->time) {
      return Disagree("a block", Named(low_name, *low), Named(endpoints_[i]->name(), *block));
    }
  }
  return *low;
}

Result<Block> ChainClient::FinalBlock() {
  TRY(CheckChain());
  std::vector<Block> heads;
  for (const auto& endpoint : endpoints_) {
    ASSIGN_OR_RETURN(const Block head, endpoint->Final(options_.finality));
    heads.push_back(head);
  }
  return Agree(heads);
}

Result<Block> ChainClient::LatestBlock() {
  TRY(CheckChain());
  std::vector<Block> heads;
  for (const auto& endpoint : endpoints_) {
    ASSIGN_OR_RETURN(const Block head, endpoint->Head("latest"));
    heads.push_back(head);
  }
  return Agree(heads);
}

Result<std::optional<Block>> ChainClient::BlockAt(uint64_t number) {
  TRY(CheckChain());
  std::vector<Block> blocks;
  for (const auto& endpoint : endpoints_) {
    ASSIGN_OR_RETURN(const std::optional<Block> block, endpoint->BlockAt(number));
    if (!block) return std::nullopt;
    blocks.push_back(*block);
  }
  return Agree(blocks);
}

// Hash agreement alone does not bind an eth_call's answer (there is no state proof), so the answers
// are compared.
Result<Bytes> ChainClient::SameData(std::string_view method, const json::array& params) {
  TRY(CheckChain());
  const auto ask = [&](Endpoint& endpoint) -> Result<Bytes> {
    ASSIGN_OR_RETURN(const json::value answer, endpoint.Ask(method, params));
    return ParseData(answer, kMaxCallData);
  };
  const auto shown = [](const Result<Bytes>& answer) {
    return answer ? Hex(ByteView(*answer).first(std::min<size_t>(answer->size(), 64)))
                  : std::string("reverted");
  };
  const auto failed = [](const Result<Bytes>& answer) {
    return !answer && answer.error().code != "chain.reverted";
  };
  Result<Bytes> first = ask(*endpoints_.front());
  if (failed(first)) return first;
  for (size_t i = 1; i < endpoints_.size(); ++i) {
    Result<Bytes> other = ask(*endpoints_[i]);
    if (failed(other)) return other;
    if (first.has_value() != other.has_value() || (first && *first != *other)) {
      return Disagree("an answer to " + std::string(method),
                      endpoints_.front()->name() + ": " + shown(first),
                      endpoints_[i]->name() + ": " + shown(other));
    }
  }
  return first;
}

Result<Bytes> ChainClient::Call(const EthAddress& to, ByteView data, const Block& at) {
  return SameData("eth_call", {CallObject({.to = to, .data = ToBytes(data)}), At(at)});
}

Result<Bytes> ChainClient::Code(const EthAddress& address, const Block& at) {
  return SameData("eth_getCode", {json::value(Hex(address)), At(at)});
}

Result<U256> ChainClient::Balance(const EthAddress& address, const Block& at) {
  TRY(CheckChain());
  const auto ask = [&](Endpoint& endpoint) -> Result<U256> {
    ASSIGN_OR_RETURN(const json::value answer,
                     endpoint.Ask("eth_getBalance", {json::value(Hex(address)), At(at)}));
    return ParseQuantity256(answer);
  };
  ASSIGN_OR_RETURN(const U256 first, ask(*endpoints_.front()));
  for (size_t i = 1; i < endpoints_.size(); ++i) {
    ASSIGN_OR_RETURN(const U256 other, ask(*endpoints_[i]));
    if (first != other) return Disagree("a balance", first.ToDecimal(), other.ToDecimal());
  }
  return first;
}

template <typename T>
Result<T> ChainClient::FirstThatAnswers(const std::function<Result<T>(Endpoint&)>& ask) {
  TRY(CheckChain());
  Result<T> last = Fail("chain.unreachable", "no chain endpoint answers");
  for (const auto& endpoint : endpoints_) {
    last = ask(*endpoint);
    if (last || last.error().code != "chain.unreachable") return last;
  }
  return last;
}

Result<uint64_t> ChainClient::PendingNonce(const EthAddress& address) {
  return FirstThatAnswers<uint64_t>([&](Endpoint& endpoint) -> Result<uint64_t> {
    ASSIGN_OR_RETURN(
        const json::value answer,
        endpoint.Ask("eth_getTransactionCount", {json::value(Hex(address)), "pending"}));
    return ParseQuantity(answer);
  });
}

Result<ChainClient::Fees> ChainClient::SuggestFees() {
  return FirstThatAnswers<Fees>([&](Endpoint& endpoint) -> Result<Fees> {
    ASSIGN_OR_RETURN(const Block head, endpoint.Head("latest"));
    if (!head.base_fee) {
      return Fail("chain.refused", endpoint.name() + " serves a chain without EIP-1559 fees");
    }
    Fees fees;
    ASSIGN_OR_RETURN(const json::value tip, endpoint.Ask("eth_maxPriorityFeePerGas", {}));
    ASSIGN_OR_RETURN(fees.priority_fee, ParseQuantity256(tip));
    ASSIGN_OR_RETURN(const U256 twice, head.base_fee->Times(2));
    ASSIGN_OR_RETURN(fees.max_fee, twice.Plus(fees.priority_fee));
    return fees;
  });
}

Result<uint64_t> ChainClient::EstimateGas(const CallRequest& request) {
  return FirstThatAnswers<uint64_t>([&](Endpoint& endpoint) -> Result<uint64_t> {
    ASSIGN_OR_RETURN(const json::value answer,
                     endpoint.Ask("eth_estimateGas", {CallObject(request)}));
    return ParseQuantity(answer);
  });
}

Result<> ChainClient::SendRaw(ByteView transaction) {
  TRY(CheckChain());
  std::vector<Error> errors;
  for (const auto& endpoint : endpoints_) {
    const auto answer = endpoint->Ask("eth_sendRawTransaction", {json::value(Hex(transaction))});
    if (answer) continue;
    const std::string& text = answer.error().message;
    if (text.find("already known") == std::string::npos &&
        text.find("already imported") == std::string::npos) {
      errors.push_back(answer.error());
    }
  }
  if (errors.size() == endpoints_.size()) return Fail(errors.front());
  return {};
}

Result<std::optional<Receipt>> ChainClient::ReceiptOf(const Hash32& transaction) {
  TRY(CheckChain());
  std::vector<Error> errors;
  for (const auto& endpoint : endpoints_) {
    auto receipt = endpoint->ReceiptOf(transaction);
    if (!receipt) {
      errors.push_back(receipt.error());
    } else if (receipt->has_value()) {
      return receipt;
    }
  }
  if (errors.size() == endpoints_.size()) return Fail(errors.front());
  return std::nullopt;
}

Result<std::optional<Receipt>> ChainClient::AgreedReceipt(const Hash32& transaction) {
  TRY(CheckChain());
  std::optional<Receipt> first;
  for (const auto& endpoint : endpoints_) {
    ASSIGN_OR_RETURN(const std::optional<Receipt> receipt, endpoint->ReceiptOf(transaction));
    if (!receipt) return std::nullopt;
    if (first && *first != *receipt) {
      return Disagree("a transaction's receipt", endpoints_.front()->name(), endpoint->name());
    }
    first = receipt;
  }
  return first;
}

}  // namespace cce::chain
