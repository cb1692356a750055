// cce collateral: documents of Intel's and AMD's services as bundle files, for engines that cannot
// or must not ask those services themselves.
#pragma once

#include <string>

#include "cli/answer.h"
#include "collateral/addresses.h"

namespace cce::cli {

struct CollateralExport {
  std::string file;      // the bundle that is written
  std::string evidence;  // a quote or report says what is needed; or:
  std::string fmspc;     // TDX
  std::string pck_ca = "platform";
  std::string product;  // SNP: chain and CRL alone
  collateral::Addresses addresses;
  std::string policy;  // its roots; else the vendors'
};
// Fetches, verifies every document, writes. Nothing is written where one is refused.
Result<Answer> ExportCollateral(const CollateralExport& options);

struct CollateralImport {
  std::string file;    // bundle, or folder with its parts
  std::string to;      // what cced's [collateral] bundle names: file or folder
  std::string policy;  // as above
  std::string at;      // moment at which it must be in force; else now
};
Result<Answer> ImportCollateral(const CollateralImport& options);

void AddCollateralCommands(args::Command& app, const GlobalOptions& options, int& exit_code);

}  // namespace cce::cli
