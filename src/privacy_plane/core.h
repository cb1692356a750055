// What the modules of cced share. Made once in main, outlives every module.
#pragma once

#include <memory>

#include "base/clock.h"
#include "chain/rental.h"
#include "dataset/ciphertext_store.h"
#include "privacy_plane/config.h"
#include "privacy_plane/key_manager/epoch_secrets.h"
#include "privacy_plane/key_manager/key_manager.h"
#include "privacy_plane/state/state.h"
#include "privacy_plane/tee_verifier/tee_verifier.h"
#include "protocol/identity.h"

namespace cce::privacy_plane {

// Opens a dataset's ciphertext store; one folder a dataset.
using StoreOpener =
    std::function<Result<std::shared_ptr<dataset::CiphertextStore>>(const DatasetId&)>;

class Volumes;

struct Core {
  Config config;
  const Clock* clock = nullptr;
  std::unique_ptr<KeyManager> keys;
  std::unique_ptr<EpochSecrets> epoch_secrets;
  std::unique_ptr<State> state;
  std::unique_ptr<TeeVerifier> verifier;
  std::shared_ptr<chain::ChainClient> chain;
  std::unique_ptr<chain::RentalOracle> rental;
  StoreOpener open_store;
  Volumes* volumes = nullptr;  // of the distributed store, where there is one
  protocol::IdentityDocument identity;
  Bytes identity_bytes;  // as sent; its SHA-256 is what clients pin and messages name
  Digest32 identity_hash{};

  // The clock, believed only near the journal and the chain (trusted_time.h).
  Result<UnixSeconds> TrustedNow(const chain::Block& final_block) const;
  // A release (keys, results) is allowed: the audit log is anchored recently enough. Error:
  // journal.unanchored.
  Result<> CheckAnchored() const;
};

}  // namespace cce::privacy_plane
