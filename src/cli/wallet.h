// The client's wallet: a keystore V3 file. The key is opened only to sign and never leaves.
#pragma once

#include "base/secret.h"
#include "chain/keystore.h"
#include "cli/settings.h"

namespace cce::cli {

struct Wallet {
  chain::EthAddress address{};
  SecretBytes key;
};

// Asks for the passphrase. Errors: wallet.*, cli.no_terminal, io.*.
Result<Wallet> OpenWallet(const Settings& settings);
// The file's own word, without the passphrase: for what signs nothing. Errors: wallet.malformed.
Result<chain::EthAddress> WalletAddress(const Settings& settings);

}  // namespace cce::cli
