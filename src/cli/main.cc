// cce: the command line of provider, consumer, reviewer and verifier.
#include <csignal>
#include <cstdio>

#include "base/arguments.h"
#include "base/secret.h"
#include "cli/attest_commands.h"
#include "cli/collateral_commands.h"
#include "cli/dataset_commands.h"
#include "cli/job_commands.h"
#include "cli/rent_command.h"
#include "cli/review_commands.h"
#include "cli/settings.h"
#include "cli/trust_commands.h"
#include "cli/verify_command.h"
#include "cli/wallet_commands.h"

namespace {

void AddGlobalOptions(cce::args::Command& app, cce::cli::GlobalOptions& o) {
  app.AddOption("--config-dir", o.config_folder, "settings and state; else ~/.config/cce4long");
  app.AddOption("--server", o.server, "where cced answers: https://HOST:PORT");
  app.AddOption("--chain-endpoint", o.chain_endpoints, "a chain endpoint; repeatable")
      ->OneValueEach();
  app.AddOption("--chain-id", o.chain_id, "the chain that datasets are rented on");
  app.AddOption("--wallet", o.wallet, "keystore file of the wallet that signs");
  app.AddOption("--password-file", o.password_file, "file with the wallet's passphrase");
  app.AddOption("--trust", o.trust, "trust file");
  app.AddFlag("--allow-development", o.allow_development,
              "use an engine with development parts: never where data are real");
  app.AddFlag("--json", o.json, "print one JSON object");
  app.AddFlag("--yes,-y", o.yes, "answer every question with yes");
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto hardened = cce::HardenProcess(); !hardened) {
    std::fprintf(stderr, "%s\n", cce::FormatError(hardened.error()).c_str());
    return 1;
  }
  std::signal(SIGPIPE, SIG_IGN);
  cce::args::Program app("cce: rent out, use and verify computation on confidential datasets");
  app.RequireCommand();
  app.OptionsAnywhere();  // global options may stand after the command, too
  app.Footer("Begin with: cce wallet new; cce trust add --server URL --attestation FILE");
  cce::cli::GlobalOptions options;
  int exit_code = 0;
  AddGlobalOptions(app, options);
  cce::cli::AddWalletCommands(app, options, exit_code);
  cce::cli::AddTrustCommands(app, options, exit_code);
  cce::cli::AddDatasetCommands(app, options, exit_code);
  cce::cli::AddRentCommand(app, options, exit_code);
  cce::cli::AddJobCommands(app, options, exit_code);
  cce::cli::AddReviewCommands(app, options, exit_code);
  cce::cli::AddAttestCommands(app, options, exit_code);
  cce::cli::AddCollateralCommands(app, options, exit_code);
  cce::cli::AddVerifyCommand(app, options, exit_code);
  if (const auto code = app.Parse(argc, argv)) return *code == 0 ? 0 : 2;
  return exit_code;
}
