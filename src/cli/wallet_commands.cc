#include "cli/wallet_commands.h"

#include <filesystem>

#include "base/arguments.h"
#include "base/file.h"
#include "cli/answer.h"
#include "cli/prompt.h"
#include "cli/wallet.h"

namespace cce::cli {
namespace {

struct WalletOptions {
  std::string out;
  std::string key_file;
  bool light = false;
};

// The usual tools' light cost: for development, where each command's second counts.
constexpr chain::ScryptCost kLight{.n = 4096, .r = 8, .p = 6};

Result<Answer> Store(const Settings& settings, const WalletOptions& options,
                     const SecretBytes& key) {
  const std::string path = options.out.empty() ? settings.wallet : options.out;
  ASSIGN_OR_RETURN(const crypto::EthAddress address, crypto::EthAddressOf(key));
  ASSIGN_OR_RETURN(const SecretBytes passphrase,
                   AskPassphrase(settings, "New passphrase for " + path, true));
  ASSIGN_OR_RETURN(
      const std::string text,
      chain::WriteKeystore(key, passphrase, options.light ? kLight : chain::ScryptCost{}));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (!folder.empty() && !std::filesystem::exists(folder)) TRY(MakeFolders(folder, 0700));
  TRY(WriteFileAtomic(path, AsBytes(text), 0600));
  const std::string name = chain::FormatAddress(address);
  return Answer{name + "\nkept in " + path + "\n", {{"address", name}, {"path", path}}};
}

// Before anything is asked: a wallet is never overwritten.
Result<> CheckFree(const Settings& settings, const WalletOptions& options) {
  const std::string path = options.out.empty() ? settings.wallet : options.out;
  if (!std::filesystem::exists(path)) return {};
  return Fail(MakeError("cli.exists", path + " exists already")
                  .Next("Name another file with --out, or move this one away."));
}

Result<Answer> New(const Settings& settings, const WalletOptions& options) {
  TRY(CheckFree(settings, options));
  ASSIGN_OR_RETURN(const SecretBytes key, chain::NewWalletKey());
  return Store(settings, options, key);
}

Result<Answer> Import(const Settings& settings, const WalletOptions& options) {
  TRY(CheckFree(settings, options));
  SecretBytes text;
  if (options.key_file.empty()) {
    ASSIGN_OR_RETURN(text, AskSecret("Private key (64 hex digits)"));
  } else {
    ASSIGN_OR_RETURN(text, ReadSecretFile(options.key_file, 1024));
  }
  ASSIGN_OR_RETURN(const SecretBytes key, chain::ParseWalletKey(AsText(text.Expose())));
  return Store(settings, options, key);
}

Result<Answer> ShowWallet(const Settings& settings) {
  ASSIGN_OR_RETURN(const chain::EthAddress address, WalletAddress(settings));
  const std::string name = chain::FormatAddress(address);
  Answer answer{name + "\nkept in " + settings.wallet + "\n",
                {{"address", name}, {"path", settings.wallet}}};
  if (settings.chain_id == 0 || settings.chain_endpoints.empty()) return answer;
  ASSIGN_OR_RETURN(const auto chain, NeedChain(settings));
  ASSIGN_OR_RETURN(const chain::Block block, chain->FinalBlock());
  ASSIGN_OR_RETURN(const chain::U256 balance, chain->Balance(address, block));
  answer.text += "balance " + chain::FormatWei(balance) + " on chain " +
                 std::to_string(settings.chain_id) + " at final block " +
                 std::to_string(block.number) + "\n";
  answer.data["balance_wei"] = balance.ToDecimal();
  answer.data["block"] = block.number;
  return answer;
}

}  // namespace

void AddWalletCommands(args::Command& app, const GlobalOptions& global, int& exit_code) {
  auto options = std::make_shared<WalletOptions>();
  args::Command* wallet = app.AddCommand("wallet", "make, import and show the wallet that signs");
  wallet->RequireCommand();

  args::Command* make = wallet->AddCommand("new", "make a new wallet (keystore V3)");
  make->Footer("Example:\n  cce wallet new\n  cce wallet new --out owner.json --password-file p");
  args::Command* import = wallet->AddCommand("import", "import a private key (keystore V3)");
  import->AddOption("--key-file", options->key_file, "file with the key in hex; else asked for");
  import->Footer("Example:\n  cce wallet import --key-file key.hex --out owner.json");
  for (args::Command* command : {make, import}) {
    command->AddOption("--out", options->out, "keystore file; else the settings' wallet");
    command->AddFlag("--light", options->light, "weaker and faster: for development");
  }
  Bind(*make, global, exit_code, [options](const Settings& s) { return New(s, *options); });
  Bind(*import, global, exit_code, [options](const Settings& s) { return Import(s, *options); });

  args::Command* show = wallet->AddCommand("show", "show the wallet's address and balance");
  show->Footer("Example:\n  cce wallet show --wallet owner.json");
  Bind(*show, global, exit_code, ShowWallet);
}

}  // namespace cce::cli
