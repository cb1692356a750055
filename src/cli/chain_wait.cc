#include "cli/chain_wait.h"

#include <cstdio>
#include <memory>

#include "cli/answer.h"

namespace cce::cli {
namespace {

std::string Seconds(int64_t millis) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(millis) / 1000);
  return text;
}

}  // namespace

chain::SendCallback ShowSending(std::string what) {
  using Stage = chain::SendProgress::Stage;
  // The final block that was shown last: a wait says each one once.
  return [what = std::move(what),
          shown = std::make_shared<uint64_t>(0)](const chain::SendProgress& p) {
    switch (p.stage) {
      case Stage::kSent:
        return Notice(what + ": sent as 0x" + ToHex(p.transaction));
      case Stage::kMined:
        return Notice(what + ": in block " + std::to_string(p.block) + " after " +
                      Seconds(p.elapsed_ms));
      case Stage::kWaiting:
        if (*shown == p.final_block) return;
        *shown = p.final_block;
        return Notice(what + ": waiting until block " + std::to_string(p.block) +
                      " is final (now " + std::to_string(p.final_block) + ", " +
                      Seconds(p.elapsed_ms) + ")");
      case Stage::kFinal:
        return Notice(what + ": final at block " + std::to_string(p.final_block) + " after " +
                      Seconds(p.elapsed_ms));
    }
  };
}

}  // namespace cce::cli
