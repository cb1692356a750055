// Questions to the person at the terminal: passphrases without echo, yes or no. They go to the
// controlling terminal, never to standard input or output, which may be pipes.
#pragma once

#include <string>

#include "base/secret.h"
#include "cli/settings.h"

namespace cce::cli {

// The first line of --password-file, else asked for; `twice` for a new one, which must be the same
// both times. Errors: cli.no_terminal, cli.passphrase_differs, wallet.passphrase (empty), io.*.
Result<SecretBytes> AskPassphrase(const Settings& settings, const std::string& question,
                                  bool twice);
// A secret line without echo (a key to import). Errors: cli.no_terminal.
Result<SecretBytes> AskSecret(const std::string& question);
// Succeeds on yes, or at once with --yes. Errors: cli.declined, cli.no_terminal.
Result<> Confirm(const Settings& settings, const std::string& question);

}  // namespace cce::cli
