#include "chain/rpc.h"

#include <gtest/gtest.h>

#include <map>

#include "chain/rental.h"
#include "chain/rpc_answers.h"
#include "chain/rpc_http.h"
#include "chain/test_support.h"
#include "chain/transaction.h"

namespace cce::chain {
namespace {

constexpr uint64_t kChain = 31337;

// A chain in memory that answers like a node. A hash is the fork's letter and the height.
class FakeNode : public RpcTransport {
 public:
  explicit FakeNode(std::string name) : name_(std::move(name)) {}

  std::string name() const override { return name_; }

  Result<std::string> Post(std::string_view request) override {
    if (down) return Fail("chain.unreachable", name_ + " is down");
    if (!raw_answer.empty()) return raw_answer;
    const json::value parsed = ParseJson(request).value();
    const std::string method(parsed.at("method").as_string());
    ++asked[method];
    json::object answer = {{"jsonrpc", "2.0"}, {"id", parsed.at("id")}};
    const json::array& params = parsed.at("params").as_array();
    if (const auto error = errors.find(method); error != errors.end()) {
      answer["error"] = error->second;
    } else if (method == "eth_getBlockByNumber") {
      answer["result"] = BlockFor(std::string(params[0].as_string()));
    } else {
      last_params[method] = params;
      answer["result"] = answers[method];
    }
    return ToJson(answer);
  }

  json::value BlockFor(const std::string& tag) const {
    const uint64_t number = tag == "finalized" ? finalized
                            : tag == "safe"    ? finalized + 1
                            : tag == "latest"  ? latest
                                               : U256::FromQuantity(tag)->ToU64().value();
    if (number > latest) return nullptr;
    Hash32 hash{};
    hash[0] = number >= forks_at ? fork : 0xaa;
    hash[31] = static_cast<uint8_t>(number);
    return json::object{{"number", U256::From(number).ToQuantity()},
                        {"hash", "0x" + ToHex(hash)},
                        {"timestamp", U256::From(1'700'000'000 + number).ToQuantity()},
                        {"baseFeePerGas", "0x7"},
                        {"transactions", json::array{}}};
  }

  bool down = false;
  std::string raw_answer;
  uint64_t finalized = 10;
  uint64_t latest = 14;
  uint64_t forks_at = 1000;
  uint8_t fork = 0xbb;
  std::map<std::string, json::value> answers = {
      {"eth_chainId", "0x7a69"}, {"eth_call", "0x"}, {"eth_getCode", "0x"}};
  std::map<std::string, json::value> errors;
  std::map<std::string, json::array> last_params;
  std::map<std::string, int> asked;

 private:
  std::string name_;
};

class RpcTest : public testing::Test {
 protected:
  ChainClient& Client(Finality finality = {}) {
    ChainOptions options{.chain_id = kChain, .finality = finality, .max_lag = 5};
    client_ = ChainClient::NewWith(options, {a_, b_}).value();
    return *client_;
  }
  FakeNode& a() { return *a_; }
  FakeNode& b() { return *b_; }

  std::shared_ptr<FakeNode> a_ = std::make_shared<FakeNode>("a");
  std::shared_ptr<FakeNode> b_ = std::make_shared<FakeNode>("b");
  std::shared_ptr<ChainClient> client_;
};

TEST_F(RpcTest, FinalBlockIsTheLowestOfAll) {
  b().finalized = 8;
  const auto block = Client().FinalBlock();
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_EQ(block->number, 8U);
  EXPECT_EQ(block->hash[31], 8);
  EXPECT_EQ(block->time, 1'700'000'008);
}

TEST_F(RpcTest, RefusesAnotherHash) {
  b().forks_at = 10;
  EXPECT_EQ(CodeOf(Client().FinalBlock()), "chain.disagreement");
  b().finalized = 9;  // below the fork they agree
  EXPECT_EQ(Client().FinalBlock()->number, 9U);
  a().forks_at = 5;  // seen also where only the other is asked at that height
  EXPECT_EQ(CodeOf(Client().FinalBlock()), "chain.disagreement");
}

TEST_F(RpcTest, RefusesEndpointsFarApart) {
  b().finalized = 5;
  EXPECT_EQ(Client().FinalBlock()->number, 5U);
  b().finalized = 4;
  EXPECT_EQ(CodeOf(Client().FinalBlock()), "chain.disagreement");
}

TEST_F(RpcTest, EveryEndpointMustAnswer) {
  b().down = true;
  EXPECT_EQ(CodeOf(Client().FinalBlock()), "chain.unreachable");
}

TEST_F(RpcTest, FinalityIsConfiguration) {
  EXPECT_EQ(Client(*Finality::Parse("safe")).FinalBlock()->number, 11U);
  EXPECT_EQ(Client(*Finality::Parse("latest")).FinalBlock()->number, 14U);
  EXPECT_EQ(Client(*Finality::Parse("3")).FinalBlock()->number, 11U);
  EXPECT_EQ(Client(*Finality::Parse("100")).FinalBlock()->number, 0U);
  for (const char* bad : {"", "0", "-1", "10001", "pending", "3x", "99999999999999999999"}) {
    EXPECT_EQ(CodeOf(Finality::Parse(bad)), "input.malformed") << bad;
  }
  EXPECT_EQ(Finality::Parse("12")->ToString(), "12");
}

TEST_F(RpcTest, RefusesAnotherChain) {
  b().answers["eth_chainId"] = "0x1";
  EXPECT_EQ(CodeOf(Client().FinalBlock()), "chain.wrong_chain");
  EXPECT_EQ(CodeOf(Client().Code(TestAddress(0), {})), "chain.wrong_chain");
}

TEST_F(RpcTest, CallsArePinnedToTheBlocksHash) {
  const Block block = Client().FinalBlock().value();
  a().answers["eth_call"] = b().answers["eth_call"] = "0x0102";
  const Bytes data = {1, 2, 3, 4};
  EXPECT_EQ(ToHex(client_->Call(TestAddress(0), data, block).value()), "0102");
  const json::array params = a().last_params["eth_call"];
  EXPECT_EQ(params[0].at("data"), "0x01020304");
  EXPECT_EQ(params[1].at("blockHash"), json::value("0x" + ToHex(block.hash)));
  EXPECT_EQ(params[1].at("requireCanonical"), true);
}

TEST_F(RpcTest, AnswersMustBeEqual) {
  a().answers["eth_call"] = "0x01";
  b().answers["eth_call"] = "0x02";
  EXPECT_EQ(CodeOf(Client().Call(TestAddress(0), {}, {})), "chain.disagreement");
  b().errors["eth_call"] = json::object{{"code", 3}, {"message", "execution reverted"}};
  EXPECT_EQ(CodeOf(Client().Call(TestAddress(0), {}, {})), "chain.disagreement");
  a().errors["eth_call"] =
      json::object{{"code", -32000}, {"message", "execution reverted: no"}, {"data", "0x12345678"}};
  const auto reverted = Client().Call(TestAddress(0), {}, {});
  EXPECT_EQ(CodeOf(reverted), "chain.reverted");
  EXPECT_EQ(reverted.error().found, "revert data 0x12345678");
  a().errors["eth_call"] = json::object{{"code", -32000}, {"message", "header\nnot found"}};
  const auto refused = Client().Call(TestAddress(0), {}, {});
  EXPECT_EQ(CodeOf(refused), "chain.refused");
  EXPECT_NE(refused.error().message.find("header?not found"), std::string::npos);
}

TEST_F(RpcTest, BlockAtHeight) {
  EXPECT_EQ(Client().BlockAt(3).value()->number, 3U);
  b().latest = 12;
  EXPECT_FALSE(Client().BlockAt(13).value());
  b().forks_at = 3;
  EXPECT_EQ(CodeOf(Client().BlockAt(3)), "chain.disagreement");
}

TEST_F(RpcTest, MalformedAnswers) {
  Client();
  for (const char* bad :
       {"", "[]", "null", "{}", "{\"jsonrpc\":\"2.0\",\"id\":1}", "{\"jsonrpc\":\"2.0\"",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":\"0x7a69\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":\"0x7a69\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":31337}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x07a69\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"no\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":\"x\",\"message\":\"m\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":1,\"result\":\"0x7a69\"}"}) {
    a_ = std::make_shared<FakeNode>("a");
    a().raw_answer = bad;
    if (a().raw_answer.empty()) a().raw_answer = " ";
    EXPECT_EQ(CodeOf(Client().FinalBlock()), "chain.malformed") << bad;
  }
}

TEST_F(RpcTest, MalformedBlocks) {
  const json::object good = a().BlockFor("0x1").as_object();
  EXPECT_TRUE(ParseBlock(good).value());
  EXPECT_FALSE(ParseBlock(nullptr).value());
  for (const auto& [key, value] :
       std::map<std::string, json::value>{{"number", "1"},
                                          {"number", nullptr},
                                          {"hash", "0x12"},
                                          {"hash", 7},
                                          {"timestamp", "0xffffffffffffffff"},
                                          {"timestamp", "0x1ffffffffffffffff"},
                                          {"baseFeePerGas", "x"}}) {
    json::object bad = good;
    bad[key] = value;
    EXPECT_EQ(CodeOf(ParseBlock(bad)), "chain.malformed") << key;
    if (key == "baseFeePerGas") continue;
    bad.erase(key);
    EXPECT_EQ(CodeOf(ParseBlock(bad)), "chain.malformed") << key;
  }
  EXPECT_EQ(CodeOf(ParseData("0x123", 10)), "chain.malformed");
  EXPECT_EQ(CodeOf(ParseData("0x1234", 1)), "chain.malformed");
  EXPECT_EQ(CodeOf(ParseData("1234", 10)), "chain.malformed");
}

json::object ReceiptJson(const FakeNode& node, uint64_t block, const Hash32& transaction) {
  return {{"transactionHash", "0x" + ToHex(transaction)},
          {"blockNumber", U256::From(block).ToQuantity()},
          {"blockHash", node.BlockFor(U256::From(block).ToQuantity()).at("hash")},
          {"status", "0x1"},
          {"gasUsed", "0x5208"},
          {"contractAddress", nullptr}};
}

TEST_F(RpcTest, ReceiptsMustAgree) {
  const Hash32 hash{};
  a().answers["eth_getTransactionReceipt"] = ReceiptJson(a(), 9, hash);
  b().answers["eth_getTransactionReceipt"] = nullptr;
  EXPECT_TRUE(Client().ReceiptOf(hash).value());
  EXPECT_FALSE(Client().AgreedReceipt(hash).value());
  b().answers["eth_getTransactionReceipt"] = ReceiptJson(a(), 9, hash);
  EXPECT_EQ(Client().AgreedReceipt(hash).value()->block_number, 9U);
  b().answers["eth_getTransactionReceipt"].as_object()["status"] = "0x0";
  EXPECT_EQ(CodeOf(Client().AgreedReceipt(hash)), "chain.disagreement");
  EXPECT_EQ(CodeOf(Client().ReceiptOf(Hash32{1})), "chain.malformed");
}

class SendTest : public RpcTest {
 protected:
  SendTest() {
    for (FakeNode* node : {a_.get(), b_.get()}) {
      node->answers["eth_getBalance"] = "0xde0b6b3a7640000";
      node->answers["eth_getTransactionCount"] = "0x0";
      node->answers["eth_maxPriorityFeePerGas"] = "0x1";
      node->answers["eth_estimateGas"] = "0x5208";
      node->answers["eth_sendRawTransaction"] = "0x";
    }
    request_ = {.to = TestAddress(1), .value = U256::From(5)};
    // 21000 gas and a fifth; twice the base fee of 7 and the tip of 1.
    const Transaction expected{.chain_id = kChain,
                               .priority_fee = U256::From(1),
                               .max_fee = U256::From(15),
                               .gas_limit = 25200,
                               .to = request_.to,
                               .value = request_.value};
    hash_ = TransactionHash(*SignTransaction(expected, TestKey(0)));
    for (FakeNode* node : {a_.get(), b_.get()}) {
      node->answers["eth_getTransactionReceipt"] = ReceiptJson(*node, 12, hash_);
    }
  }

  Result<Receipt> Send(WaitOptions options = {.timeout_ms = 2000, .poll_ms = 1}) {
    return SendAndWait(
        Client(), TestKey(0), request_,
        [this](const SendProgress& progress) {
          stages_.push_back(progress.stage);
          if (progress.stage == SendProgress::Stage::kWaiting) {
            ++a().finalized;
            ++b().finalized;
          }
        },
        options);
  }

  SendRequest request_;
  Hash32 hash_{};
  std::vector<SendProgress::Stage> stages_;
};

TEST_F(SendTest, WaitsUntilTheBlockIsFinal) {
  const auto receipt = Send();
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt->block_number, 12U);
  using enum SendProgress::Stage;
  EXPECT_EQ(stages_, (std::vector{kSent, kMined, kWaiting, kWaiting, kWaiting, kFinal}));
  EXPECT_EQ(b().asked["eth_sendRawTransaction"], 1);
}

TEST_F(SendTest, OneEndpointThatTakesItIsEnough) {
  b().errors["eth_sendRawTransaction"] =
      json::object{{"code", -32000}, {"message", "nonce too high"}};
  EXPECT_EQ(CodeOf(Send()), "ok");
  a().errors["eth_sendRawTransaction"] =
      json::object{{"code", -32000}, {"message", "already known"}};
  EXPECT_EQ(CodeOf(Send()), "ok");
  a().errors = b().errors;
  EXPECT_EQ(CodeOf(Send()), "chain.refused");
}

TEST_F(SendTest, AReceiptOffTheFinalChainDoesNotCount) {
  for (FakeNode* node : {a_.get(), b_.get()}) {
    node->answers["eth_getTransactionReceipt"].as_object()["blockHash"] =
        "0x" + std::string(64, 'c');
    node->latest = 1000;
  }
  const auto receipt = Send({.timeout_ms = 30, .poll_ms = 1});
  EXPECT_EQ(CodeOf(receipt), "chain.not_final");
  EXPECT_EQ(receipt.error().detail, "transaction 0x" + ToHex(hash_));
}

TEST_F(SendTest, AFailedCallIsAnError) {
  for (FakeNode* node : {a_.get(), b_.get()}) {
    node->answers["eth_getTransactionReceipt"].as_object()["status"] = "0x0";
  }
  EXPECT_EQ(CodeOf(Send()), "chain.transaction_failed");
}

TEST_F(SendTest, RefusesBeforeSending) {
  a().errors["eth_estimateGas"] = json::object{{"code", 3}, {"message", "execution reverted"}};
  EXPECT_EQ(CodeOf(Send()), "chain.reverted");
  a().errors.clear();
  a().answers["eth_getBalance"] = b().answers["eth_getBalance"] = "0x5";
  EXPECT_EQ(CodeOf(Send()), "chain.insufficient_funds");
  EXPECT_EQ(a().asked["eth_sendRawTransaction"], 0);
}

TEST_F(SendTest, WaitsEndWhenStopped) {
  a().answers["eth_getTransactionReceipt"] = b().answers["eth_getTransactionReceipt"] = nullptr;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(CodeOf(Send({.stop = stop.get_token()})), "chain.not_final");
  EXPECT_EQ(CodeOf(WaitFinal(Client(), 100, {}, {.stop = stop.get_token()})), "chain.not_final");
}

TEST_F(SendTest, MomentaryFailuresDoNotEndAWait) {
  int seen = 0;
  a().down = true;
  const auto block = WaitFinal([this]() -> ChainClient& { return Client(); }(), 11,
                               [&](const Block&) {
                                 ++seen;
                                 ++a().finalized;
                                 ++b().finalized;
                               },
                               {.timeout_ms = 20, .poll_ms = 1});
  EXPECT_EQ(CodeOf(block), "chain.not_final");
  EXPECT_EQ(block.error().found, "a is down");
  a().down = false;
  EXPECT_EQ(CodeOf(WaitFinal(Client(), 10, {}, {.poll_ms = 1})), "ok");
}

TEST_F(RpcTest, RentalNeedsAContract) {
  Client();
  ChainRental rental(client_);
  RentalOracle& oracle = rental;
  EXPECT_EQ(CodeOf(oracle.HasAccess(TestAddress(0), TestAddress(1))), "chain.no_contract");
  a().answers["eth_call"] = b().answers["eth_call"] = "0x" + ToHex(UintWord(1));
  const auto yes = oracle.HasAccess(TestAddress(0), TestAddress(1));
  EXPECT_TRUE(yes->has_access);
  EXPECT_EQ(yes->block.number, 10U);
  a().answers["eth_call"] = b().answers["eth_call"] = "0x" + ToHex(UintWord(2));
  EXPECT_EQ(CodeOf(oracle.HasAccess(TestAddress(0), TestAddress(1))), "chain.malformed");
  a().answers["eth_call"] = b().answers["eth_call"] = "0x" + ToHex(AddressWord(TestAddress(2)));
  EXPECT_EQ(oracle.Owner(TestAddress(0))->owner, TestAddress(2));
}

TEST(Rental, PurchasesAreBounded) {
  EXPECT_EQ(CodeOf(PurchaseRequest({}, U256::From(1), 0)), "chain.out_of_range");
  EXPECT_EQ(CodeOf(PurchaseRequest({}, *U256::FromQuantity("0x" + std::string(64, 'f')), 2)),
            "chain.out_of_range");
  EXPECT_EQ(PurchaseRequest({}, U256::From(100), 24)->value, U256::From(2400));
}

TEST(Endpoints, UrlsAreChecked) {
  const auto code = [](std::vector<std::string> urls) {
    return CodeOf(ChainClient::New({.chain_id = 1, .endpoints = std::move(urls)}));
  };
  EXPECT_EQ(code({"http://127.0.0.1:8545"}), "ok");
  EXPECT_EQ(code({"https://rpc.example/v3/key?x=y", "https://other.example"}), "ok");
  EXPECT_EQ(code({}), "config.invalid");
  EXPECT_EQ(code({"https://a.example", "https://a.example"}), "config.invalid");
  EXPECT_EQ(code({"ws://a.example"}), "config.invalid");
  EXPECT_EQ(code({"https://u:p@a.example"}), "config.invalid");
  EXPECT_EQ(code({"https://"}), "config.invalid");
  EXPECT_EQ(code({"https://a.example/#x"}), "config.invalid");
  EXPECT_EQ(code({"a.example"}), "config.invalid");
  // The name never shows what may be an access key.
  EXPECT_EQ(NewHttpTransport("https://rpc.example/v3/key", 1000, "").value()->name(),
            "rpc.example");
}

}  // namespace
}  // namespace cce::chain
