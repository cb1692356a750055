#include "cli/wallet.h"

#include "base/file.h"
#include "cli/prompt.h"

namespace cce::cli {
namespace {

constexpr size_t kMaxKeystore = size_t{64} << 10;

Result<std::string> ReadWalletFile(const Settings& settings) {
  Result<std::string> text = ReadTextFile(settings.wallet, kMaxKeystore);
  if (!text && text.error().code == "io.not_found") {
    text.error().next = "Make one with cce wallet new, or name yours with --wallet.";
  }
  return text;
}

}  // namespace

Result<Wallet> OpenWallet(const Settings& settings) {
  ASSIGN_OR_RETURN(const std::string text, ReadWalletFile(settings));
  ASSIGN_OR_RETURN(const SecretBytes passphrase,
                   AskPassphrase(settings, "Passphrase of " + settings.wallet, false));
  Wallet wallet;
  ASSIGN_OR_RETURN(wallet.key, chain::ReadKeystore(text, passphrase));
  ASSIGN_OR_RETURN(wallet.address, crypto::EthAddressOf(wallet.key));
  return wallet;
}

Result<chain::EthAddress> WalletAddress(const Settings& settings) {
  ASSIGN_OR_RETURN(const std::string text, ReadWalletFile(settings));
  ASSIGN_OR_RETURN(const auto address, chain::KeystoreAddress(text));
  if (!address) {
    return Fail(MakeError("wallet.malformed", settings.wallet + ": the file names no address")
                    .Next("Import the key anew: cce wallet import."));
  }
  return *address;
}

}  // namespace cce::cli
