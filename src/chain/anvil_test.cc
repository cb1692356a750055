// The whole part against a real chain: anvil, as contracts/package.json pins it.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/file.h"
#include "chain/anchor.h"
#include "chain/eip712.h"
#include "chain/keystore.h"
#include "chain/rental.h"
#include "chain/rpc_answers.h"
#include "chain/rpc_http.h"
#include "chain/siwe.h"
#include "chain/test_support.h"
#include "contracts.h"

namespace cce::chain {
namespace {

constexpr uint64_t kChain = 31337;

// The native program behind node_modules/.bin/anvil, so that no wrapper outlives the test.
std::string AnvilProgram() {
  const auto folder =
      std::filesystem::path(CCE_SOURCE_DIR) / "contracts" / "node_modules" / "@foundry-rs";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto program = entry.path() / "bin" / "anvil";
    if (std::filesystem::exists(program)) return program;
  }
  return {};
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

uint16_t FreePort() {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return 0;
  }
  return ntohs(address.sin_port);
}

class Anvil {
 public:
  Anvil() : program_(AnvilProgram()), port_(FreePort()) {
    const std::string port = std::to_string(port_);
    const char* argv[] = {"anvil",  "--slots-in-an-epoch", "1",        "--block-time", "1",
                          "--port", port.c_str(),          "--silent", nullptr};
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      execv(program_.c_str(), const_cast<char* const*>(argv));
      _exit(127);
    }
  }
  ~Anvil() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  // Whether it takes connections within 10 s.
  bool Up() const {
    for (int i = 0; i < 500; ++i) {
      const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const sockaddr_in address = Loopback(port_);
      if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        return true;
      }
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) return false;
      usleep(20'000);
    }
    return false;
  }

  std::string Url(const std::string& host = "127.0.0.1") const {
    return "http://" + host + ":" + std::to_string(port_);
  }

  json::value Ask(std::string_view method, const json::array& params) const {
    const auto transport = NewHttpTransport(Url(), 10'000, "").value();
    const std::string answer =
        transport
            ->Post(ToJson(json::object{
                {"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}}))
            .value();
    return ParseAnswer(answer, 1, "anvil").value();
  }

  // `n` blocks at once: enough of them make what is mined final.
  void Mine(int n = 4) const {
    for (int i = 0; i < n; ++i) Ask("evm_mine", {});
  }

 private:
  std::string program_;
  uint16_t port_;
  pid_t pid_ = -1;
};

class AnvilTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_FALSE(AnvilProgram().empty()) << "anvil is missing: run deploy/install";
    anvil_ = new Anvil;
    ASSERT_TRUE(anvil_->Up());
    client_ = ChainClient::New({.chain_id = kChain, .endpoints = {anvil_->Url()}}).value();
  }
  static void TearDownTestSuite() {
    client_.reset();
    delete anvil_;
    anvil_ = nullptr;
  }

  // Sends, and makes the chain hurry.
  static Result<Receipt> Send(int key, const SendRequest& request) {
    return SendAndWait(*client_, TestKey(key), request,
                       [](const SendProgress& progress) {
                         if (progress.stage == SendProgress::Stage::kSent) anvil_->Mine();
                       },
                       {.timeout_ms = 10'000, .poll_ms = 20});
  }

  static EthAddress Deploy(int key, const SendRequest& request) {
    const Receipt receipt = Send(key, request).value();
    return receipt.contract.value();
  }

  static Anvil* anvil_;
  static std::shared_ptr<ChainClient> client_;
};

Anvil* AnvilTest::anvil_ = nullptr;
std::shared_ptr<ChainClient> AnvilTest::client_;

TEST_F(AnvilTest, WaitsForFinalityAsTheChainGivesIt) {
  std::vector<SendProgress> steps;
  const auto receipt =
      SendAndWait(*client_, TestKey(0), {.to = TestAddress(1), .value = U256::From(1)},
                  [&](const SendProgress& progress) { steps.push_back(progress); },
                  {.timeout_ms = 15'000, .poll_ms = 50});
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(steps.front().stage, SendProgress::Stage::kSent);
  EXPECT_EQ(steps.back().stage, SendProgress::Stage::kFinal);
  EXPECT_GE(client_->FinalBlock()->number, receipt->block_number);
  EXPECT_GT(client_->LatestBlock()->number, client_->FinalBlock()->number);
}

TEST_F(AnvilTest, RentsADataset) {
  const U256 price = U256::From(1'000'000'000'000);
  const EthAddress dataset = Deploy(0, DeployRentalRequest(price).value());
  ChainRental rental(client_);
  const Block before = client_->FinalBlock().value();
  EXPECT_EQ(rental.Owner(dataset, before)->owner, TestAddress(0));
  EXPECT_EQ(rental.PricePerHour(dataset, before).value(), price);
  EXPECT_FALSE(rental.HasAccess(dataset, TestAddress(1), before)->has_access);
  EXPECT_EQ(rental.AccessExpiresAt(dataset, TestAddress(1), before).value(), 0);

  const auto cheap = Send(1, PurchaseRequest(dataset, U256::From(1), 24).value());
  EXPECT_EQ(CodeOf(cheap), "chain.reverted");
  EXPECT_NE(cheap.error().found.find(ToHex(Selector("WrongPayment(uint256,uint256)"))),
            std::string::npos);

  const auto bought = Send(1, PurchaseRequest(dataset, price, 24).value());
  ASSERT_TRUE(bought) << bought.error().message;
  const auto answer = rental.HasAccess(dataset, TestAddress(1));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_TRUE(answer->has_access);
  const Block at = client_->BlockAt(bought->block_number).value().value();
  EXPECT_EQ(rental.AccessExpiresAt(dataset, TestAddress(1), answer->block).value(),
            at.time + 24 * 3600);
  EXPECT_FALSE(rental.HasAccess(dataset, TestAddress(0))->has_access);
  // The same question at an older block has its old answer.
  EXPECT_FALSE(rental.HasAccess(dataset, TestAddress(1), before)->has_access);

  EXPECT_EQ(CodeOf(Send(1, {.to = dataset, .data = AbiWriter("withdraw()").Finish()})),
            "chain.reverted");
  EXPECT_EQ(CodeOf(Send(0, {.to = dataset, .data = AbiWriter("withdraw()").Finish()})), "ok");
  EXPECT_EQ(client_->Balance(dataset, client_->FinalBlock().value()).value(), U256());

  anvil_->Ask("evm_increaseTime", {24 * 3600});
  anvil_->Mine();
  EXPECT_FALSE(rental.HasAccess(dataset, TestAddress(1))->has_access);
}

TEST_F(AnvilTest, NamesWhatIsNotThere) {
  ChainRental rental(client_);
  EXPECT_EQ(CodeOf(static_cast<RentalOracle&>(rental).HasAccess(TestAddress(2), TestAddress(1))),
            "chain.no_contract");
  const Block nowhere{.number = 1};
  EXPECT_EQ(CodeOf(client_->Call(TestAddress(2), {}, nowhere)), "chain.refused");
  const auto poor =
      SendAndWait(*client_, NewWalletKey().value(), {.to = TestAddress(1), .value = U256::From(1)});
  EXPECT_EQ(CodeOf(poor), "chain.insufficient_funds");
}

TEST_F(AnvilTest, ContractWalletsSignIn) {
  const Block before = client_->FinalBlock().value();
  Bytes code = FromHex(contracts::kWallet1271Bytecode).value();
  Append(code, AbiWriter().Address(TestAddress(1)).Finish());
  const EthAddress wallet = Deploy(0, {.data = code});

  const UnixSeconds now = 1'800'000'000;
  const SiweMessage message{.domain = "cced.example",
                            .address = wallet,
                            .uri = "https://cced.example",
                            .chain_id = kChain,
                            .nonce = "12345678",
                            .issued_at = FormatTime(now)};
  const std::string text = RenderSiwe(message).value();
  const SiweExpectations expected{.domain = message.domain,
                                  .uri = message.uri,
                                  .chain_id = kChain,
                                  .nonce = message.nonce,
                                  .now = now};
  const auto code_of = [&](int key, const ContractWallets* wallets) {
    const auto signature = crypto::EthSignDigest(TestKey(key), PersonalDigest(text)).value();
    return CodeOf(VerifySiwe(text, signature, expected, wallets));
  };
  const ChainWallets wallets(client_, client_->FinalBlock().value());
  EXPECT_EQ(code_of(1, &wallets), "ok");
  EXPECT_EQ(code_of(0, &wallets), "signin.signature");
  EXPECT_EQ(code_of(1, nullptr), "signin.signature");
  // Before it was there, and where the contract is no wallet.
  const ChainWallets earlier(client_, before);
  EXPECT_EQ(code_of(1, &earlier), "signin.signature");
  const EthAddress rental = Deploy(0, DeployRentalRequest(U256::From(1)).value());
  const ChainWallets later(client_, client_->FinalBlock().value());
  EXPECT_FALSE(later.Accepts(rental, {}, Bytes(65, 1)).value());
}

TEST_F(AnvilTest, AnchorsOnlyGrow) {
  const EthAddress contract = Deploy(0, CheckpointAnchor::DeployRequest().value());
  CheckpointAnchor anchors(client_, contract);
  const auto latest = [&](int writer) {
    return anchors.Latest(TestAddress(writer), client_->FinalBlock().value()).value();
  };
  EXPECT_EQ(latest(0).size, 0U);
  Anchor anchor{.size = 5};
  anchor.root.fill(7);
  EXPECT_EQ(CodeOf(Send(0, anchors.AnchorRequest(anchor))), "ok");
  EXPECT_EQ(latest(0).size, 5U);
  EXPECT_EQ(latest(0).root, anchor.root);
  EXPECT_EQ(latest(1).size, 0U);  // each writer has its own
  anchor.root.fill(8);
  EXPECT_EQ(CodeOf(Send(0, anchors.AnchorRequest(anchor))), "chain.reverted");
  anchor.size = 4;
  EXPECT_EQ(CodeOf(Send(0, anchors.AnchorRequest(anchor))), "chain.reverted");
  anchor.size = 6;
  EXPECT_EQ(CodeOf(Send(0, anchors.AnchorRequest(anchor))), "ok");
  EXPECT_EQ(latest(0).root, anchor.root);
  CheckpointAnchor nowhere(client_, TestAddress(2));
  EXPECT_EQ(CodeOf(nowhere.Latest(TestAddress(0), client_->FinalBlock().value())),
            "chain.no_contract");
}

// Another implementation signs our documents from their JSON, and the same text.
TEST_F(AnvilTest, OtherWalletsMakeTheSameDigests) {
  const auto signed_by_anvil = [&](const std::string& typed_data) {
    const json::value answer =
        anvil_->Ask("eth_signTypedData_v4",
                    {json::value("0x" + ToHex(TestAddress(0))), ParseJson(typed_data).value()});
    return FromHex(std::string(answer.as_string()), true).value();
  };
  DatasetPolicyDocument policy{.dataset = TestAddress(2), .version = 9, .summary = "text \"x\" é"};
  policy.document.fill(3);
  EXPECT_EQ(
      CodeOf(VerifyDatasetPolicy(kChain, policy, TestAddress(0),
                                 signed_by_anvil(DatasetPolicyTypedData(kChain, policy)), nullptr)),
      "ok");
  ReviewDecisionDocument decision{
      .dataset = TestAddress(2), .attempt = 2, .decision = "reject", .reason = "row 7"};
  decision.result.fill(5);
  EXPECT_EQ(CodeOf(VerifyReviewDecision(kChain, decision, TestAddress(0),
                                        signed_by_anvil(ReviewDecisionTypedData(kChain, decision)),
                                        nullptr)),
            "ok");
  const json::value personal = anvil_->Ask(
      "personal_sign",
      {json::value("0x" + ToHex(AsBytes("hello"))), json::value("0x" + ToHex(TestAddress(0)))});
  EXPECT_EQ(CodeOf(VerifySigner(TestAddress(0), PersonalDigest("hello"),
                                FromHex(std::string(personal.as_string()), true).value(), nullptr)),
            "ok");
}

TEST_F(AnvilTest, EndpointsMustServeOneChain) {
  const auto both = ChainClient::New(
      {.chain_id = kChain, .endpoints = {anvil_->Url(), anvil_->Url("localhost")}});
  EXPECT_TRUE((*both)->FinalBlock());
  const auto wrong = ChainClient::New({.chain_id = 1, .endpoints = {anvil_->Url()}});
  EXPECT_EQ(CodeOf((*wrong)->FinalBlock()), "chain.wrong_chain");

  std::optional<Anvil> other(std::in_place);
  ASSERT_TRUE(other->Up());
  const auto split = ChainClient::New(
      {.chain_id = kChain, .endpoints = {anvil_->Url(), other->Url()}, .max_lag = 1'000'000});
  other->Mine(2);  // past the genesis block, which depends on the time alone
  EXPECT_EQ(CodeOf((*split)->LatestBlock()), "chain.disagreement");
  other.reset();
  EXPECT_EQ(CodeOf((*split)->FinalBlock()), "chain.unreachable");
}

}  // namespace
}  // namespace cce::chain
