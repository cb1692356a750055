#include "cli/rent_command.h"

#include "base/arguments.h"
#include "chain/rental.h"
#include "cli/answer.h"
#include "cli/chain_wait.h"
#include "cli/prompt.h"
#include "cli/wallet.h"
#include "protocol/identifiers.h"

namespace cce::cli {
namespace {

struct RentOptions {
  std::string dataset;
  uint64_t hours = 0;
};

Result<Answer> Rent(const Settings& settings, const RentOptions& options) {
  ASSIGN_OR_RETURN(const chain::EthAddress dataset, chain::ParseAddress(options.dataset));
  ASSIGN_OR_RETURN(const auto client, NeedChain(settings));
  chain::ChainRental rental(client);
  ASSIGN_OR_RETURN(const chain::Block head, client->LatestBlock());
  ASSIGN_OR_RETURN(const chain::U256 price, rental.PricePerHour(dataset, head));
  ASSIGN_OR_RETURN(const chain::U256 total, price.Times(options.hours));
  ASSIGN_OR_RETURN(const chain::EthAddress payer, WalletAddress(settings));
  const std::string offer = chain::FormatWei(price) + " an hour, " + std::to_string(options.hours) +
                            " hours: " + chain::FormatWei(total);
  Notice("dataset " + chain::FormatAddress(dataset) + "\n  price  " + offer +
         " and gas\n  payer  " + chain::FormatAddress(payer));
  TRY(Confirm(settings, "Rent it?"));
  ASSIGN_OR_RETURN(const Wallet wallet, OpenWallet(settings));
  ASSIGN_OR_RETURN(const chain::SendRequest request,
                   chain::PurchaseRequest(dataset, price, options.hours));
  ASSIGN_OR_RETURN(const chain::Receipt receipt,
                   chain::SendAndWait(*client, wallet.key, request, ShowSending("rental")));
  ASSIGN_OR_RETURN(const chain::Block final_block, client->FinalBlock());
  ASSIGN_OR_RETURN(const UnixSeconds until,
                   rental.AccessExpiresAt(dataset, wallet.address, final_block));
  const std::string name = protocol::AddressText(dataset);
  return Answer{
      "rented " + name + " until " + ShowTime(until) + " for " + chain::FormatWei(total) + "\n",
      {{"dataset", name},
       {"wallet", protocol::AddressText(wallet.address)},
       {"hours", options.hours},
       {"paid_wei", total.ToDecimal()},
       {"transaction", "0x" + ToHex(receipt.transaction)},
       {"block", receipt.block_number},
       {"final_block", final_block.number},
       {"access_expires_at", until}}};
}

}  // namespace

void AddRentCommand(args::Command& app, const GlobalOptions& global, int& exit_code) {
  auto options = std::make_shared<RentOptions>();
  args::Command* rent =
      app.AddCommand("rent", "rent a dataset on chain, and wait until it is final");
  rent->AddOption("DATASET", options->dataset, "the dataset's address")->Required();
  rent->AddOption("--hours", options->hours, "for how long")->Required()->Between(1, 100'000);
  rent->Footer("Example:\n  cce rent 0xd8da6bf26964af9d7eed9e03e53415d37aa96045 --hours 24");
  Bind(*rent, global, exit_code, [options](const Settings& s) { return Rent(s, *options); });
}

}  // namespace cce::cli
