#include "chain/anchor.h"

#include "contracts.h"

namespace cce::chain {

Result<Anchor> CheckpointAnchor::Latest(const EthAddress& writer, const Block& at) {
  const Bytes data = AbiWriter("latest(address)").Address(writer).Finish();
  ASSIGN_OR_RETURN(const Bytes answer, client_->Call(contract_, data, at));
  if (answer.empty()) {
    return Fail("chain.no_contract", "no anchor contract answers at " + FormatAddress(contract_));
  }
  AbiReader reader(answer);
  Anchor anchor;
  ASSIGN_OR_RETURN(anchor.size, reader.Uint64());
  ASSIGN_OR_RETURN(anchor.root, reader.Word());
  return anchor;
}

SendRequest CheckpointAnchor::AnchorRequest(const Anchor& anchor) const {
  return {.to = contract_,
          .data = AbiWriter("anchor(uint64,bytes32)").Uint(anchor.size).Word(anchor.root).Finish()};
}

Result<Receipt> CheckpointAnchor::Send(const SecretBytes& key, const Anchor& anchor,
                                       const SendCallback& callback, const WaitOptions& options) {
  return SendAndWait(*client_, key, AnchorRequest(anchor), callback, options);
}

Result<SendRequest> CheckpointAnchor::DeployRequest() {
  ASSIGN_OR_RETURN(Bytes code, FromHex(contracts::kCheckpointAnchorBytecode));
  return SendRequest{.data = std::move(code)};
}

}  // namespace cce::chain
