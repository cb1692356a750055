#include "privacy_plane/chain_freshness.h"

namespace cce::privacy_plane {

Result<std::optional<tlog::Anchor>> ChainFreshness::Latest() {
  ASSIGN_OR_RETURN(const chain::Block block, client_->FinalBlock());
  ASSIGN_OR_RETURN(const chain::Anchor anchor, anchor_.Latest(writer_, block));
  if (anchor.size == 0) return std::nullopt;
  return tlog::Anchor{anchor.size, anchor.root};
}

Result<> ChainFreshness::Publish(const tlog::Anchor& anchor) {
  TRY(anchor_.Send(key_, {.size = anchor.size, .root = anchor.root}));
  return {};
}

}  // namespace cce::privacy_plane
