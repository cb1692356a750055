// What a dataset's owner orders about it, signed and once: to verify a snapshot, to rotate, to
// delete, to abandon uploads. Verifying and rotating go on in the background; a deletion is done,
// as far as keys go, when the answer is given. Thread-safe.
#pragma once

#include "privacy_plane/compute_controller/controller.h"
#include "privacy_plane/datasets/maintenance.h"
#include "protocol/dataset_order.h"

namespace cce::privacy_plane {

class Orders {
 public:
  Orders(Core& core, ComputeController& controller, Maintenance& maintenance)
      : core_(core), controller_(controller), maintenance_(maintenance) {}

  // A repeat of the order that deleted gives the same receipt. Errors: dataset.unknown,
  // dataset.deleted, dataset.unknown_snapshot, dataset.rotated, signin.not_owner, signer.mismatch,
  // order.number, verify.running, rotate.running, rotate.upload_open, rotate.nothing, chain.*,
  // io.*.
  Result<protocol::DatasetOrderReply> Take(const DatasetId& dataset,
                                           const protocol::DatasetOrder& order);

 private:
  Result<> CheckSignature(const DatasetId& dataset, const protocol::DatasetOrder& order) const;
  Result<> Journal(const DatasetId& dataset, const protocol::DatasetOrder& order);
  Result<> Delete(const DatasetId& dataset, const protocol::DatasetOrder& order);
  // What the journal calls destroyed is destroyed. Idempotent.
  Result<> DestroyEnded(const DatasetId& dataset);
  // The receipt of the deletion that `order` is, if it was taken.
  std::string ReceiptOf(const DatasetId& dataset, const protocol::DatasetOrder& order) const;

  Core& core_;
  ComputeController& controller_;
  Maintenance& maintenance_;
};

// What could bring destroyed secrets back: for the receipt, and empty only where nothing can once
// the deletion is anchored.
std::vector<std::string> WhatUndoesDestruction(const Core& core);

}  // namespace cce::privacy_plane
