// Transactions from the command line: what is waited for, and how long it took, on standard error.
#pragma once

#include "chain/transaction.h"

namespace cce::cli {

// Shows each stage of SendAndWait: sent, mined in which block, which block is final, final.
chain::SendCallback ShowSending(std::string what);

}  // namespace cce::cli
