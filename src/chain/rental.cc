#include "chain/rental.h"

#include "contracts.h"

namespace cce::chain {

Result<RentalAnswer> RentalOracle::HasAccess(const EthAddress& dataset, const EthAddress& wallet) {
  ASSIGN_OR_RETURN(const Block at, FinalBlock());
  return HasAccess(dataset, wallet, at);
}

Result<OwnerAnswer> RentalOracle::Owner(const EthAddress& dataset) {
  ASSIGN_OR_RETURN(const Block at, FinalBlock());
  return Owner(dataset, at);
}

Result<Bytes> ChainRental::Ask(const EthAddress& dataset, ByteView data, const Block& at) {
  ASSIGN_OR_RETURN(Bytes answer, client_->Call(dataset, data, at));
  // Where no contract is, calls succeed with nothing.
  if (answer.empty()) {
    return Fail(
        MakeError("chain.no_contract", "no rental contract answers at " + FormatAddress(dataset))
            .Expected("a contract as of block " + std::to_string(at.number)));
  }
  return answer;
}

Result<RentalAnswer> ChainRental::HasAccess(const EthAddress& dataset, const EthAddress& wallet,
                                            const Block& at) {
  const Bytes data = AbiWriter("hasAccess(address)").Address(wallet).Finish();
  ASSIGN_OR_RETURN(const Bytes answer, Ask(dataset, data, at));
  ASSIGN_OR_RETURN(const bool has_access, AbiReader(answer).Bool());
  return RentalAnswer{.has_access = has_access, .block = at};
}

Result<OwnerAnswer> ChainRental::Owner(const EthAddress& dataset, const Block& at) {
  ASSIGN_OR_RETURN(const Bytes answer, Ask(dataset, AbiWriter("owner()").Finish(), at));
  ASSIGN_OR_RETURN(const EthAddress owner, AbiReader(answer).Address());
  return OwnerAnswer{.owner = owner, .block = at};
}

Result<U256> ChainRental::PricePerHour(const EthAddress& dataset, const Block& at) {
  ASSIGN_OR_RETURN(const Bytes answer, Ask(dataset, AbiWriter("price()").Finish(), at));
  return AbiReader(answer).Uint();
}

Result<UnixSeconds> ChainRental::AccessExpiresAt(const EthAddress& dataset,
                                                 const EthAddress& wallet, const Block& at) {
  const Bytes data = AbiWriter("accessExpiresAt(address)").Address(wallet).Finish();
  ASSIGN_OR_RETURN(const Bytes answer, Ask(dataset, data, at));
  ASSIGN_OR_RETURN(const uint64_t expires, AbiReader(answer).Uint64());
  if (expires > uint64_t{INT64_MAX}) {
    return Fail("chain.out_of_range", "an access expires beyond all time");
  }
  return static_cast<UnixSeconds>(expires);
}

Result<SendRequest> PurchaseRequest(const EthAddress& dataset, const U256& price_per_hour,
                                    uint64_t hours) {
  if (hours == 0) return Fail("chain.out_of_range", "a rental of no hours cannot be bought");
  ASSIGN_OR_RETURN(const U256 value, price_per_hour.Times(hours));
  return SendRequest{.to = dataset,
                     .value = value,
                     .data = AbiWriter("purchaseAccess(uint256)").Uint(hours).Finish()};
}

Result<SendRequest> DeployRentalRequest(const U256& price_per_hour) {
  ASSIGN_OR_RETURN(Bytes code, FromHex(contracts::kDatasetRentalBytecode));
  Append(code, AbiWriter().Uint(price_per_hour).Finish());
  return SendRequest{.data = std::move(code)};
}

}  // namespace cce::chain
