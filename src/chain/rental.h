// Who owns a dataset and who may compute on it: read from the contract whose address is the
// dataset's id. cced reads hasAccess(address) and owner() of any contract; price and purchase are
// those of the development contract (contracts/DatasetRental.sol).
#pragma once

#include <memory>

#include "base/clock.h"
#include "chain/rpc.h"
#include "chain/transaction.h"

namespace cce::chain {

struct RentalAnswer {
  bool has_access = false;
  Block block;  // at which this was so
};
struct OwnerAnswer {
  EthAddress owner{};
  Block block;
};

// Thread-safe. The overloads without a block ask at the newest final one.
class RentalOracle {
 public:
  virtual ~RentalOracle() = default;
  virtual Result<Block> FinalBlock() = 0;
  virtual Result<RentalAnswer> HasAccess(const EthAddress& dataset, const EthAddress& wallet,
                                         const Block& at) = 0;
  virtual Result<OwnerAnswer> Owner(const EthAddress& dataset, const Block& at) = 0;

  Result<RentalAnswer> HasAccess(const EthAddress& dataset, const EthAddress& wallet);
  Result<OwnerAnswer> Owner(const EthAddress& dataset);
};

// Errors: those of ChainClient; chain.no_contract.
class ChainRental : public RentalOracle {
 public:
  explicit ChainRental(std::shared_ptr<ChainClient> client) : client_(std::move(client)) {}
  using RentalOracle::HasAccess;
  using RentalOracle::Owner;
  Result<Block> FinalBlock() override { return client_->FinalBlock(); }
  Result<RentalAnswer> HasAccess(const EthAddress& dataset, const EthAddress& wallet,
                                 const Block& at) override;
  Result<OwnerAnswer> Owner(const EthAddress& dataset, const Block& at) override;

  // The development contract's own.
  Result<U256> PricePerHour(const EthAddress& dataset, const Block& at);  // wei
  Result<UnixSeconds> AccessExpiresAt(const EthAddress& dataset, const EthAddress& wallet,
                                      const Block& at);  // 0: never had access

 private:
  Result<Bytes> Ask(const EthAddress& dataset, ByteView data, const Block& at);
  std::shared_ptr<ChainClient> client_;
};

// A purchase of `hours` (1 or more) at `price_per_hour`: sent with SendAndWait. Errors:
// chain.out_of_range.
Result<SendRequest> PurchaseRequest(const EthAddress& dataset, const U256& price_per_hour,
                                    uint64_t hours);
// Creation of a rental contract that belongs to its sender; the receipt's `contract` is the dataset
// id.
Result<SendRequest> DeployRentalRequest(const U256& price_per_hour);

}  // namespace cce::chain
