// Who signed a digest: an externally owned account (secp256k1) or a contract wallet (EIP-1271).
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "chain/abi.h"
#include "chain/rpc.h"

namespace cce::chain {

// Signatures larger than this are refused: contract wallets of many owners stay far below.
constexpr size_t kMaxSignatureSize = 8192;

// Asks a wallet's contract. Thread-safe.
class ContractWallets {
 public:
  virtual ~ContractWallets() = default;
  // Whether `wallet` has code and its isValidSignature(bytes32,bytes) accepts.
  virtual Result<bool> Accepts(const EthAddress& wallet, const Hash32& digest,
                               ByteView signature) const = 0;
};

// The real one, at a pinned block; a wallet without code accepts nothing.
class ChainWallets : public ContractWallets {
 public:
  ChainWallets(std::shared_ptr<ChainClient> client, Block at)
      : client_(std::move(client)), at_(at) {}
  Result<bool> Accepts(const EthAddress& wallet, const Hash32& digest,
                       ByteView signature) const override;

 private:
  std::shared_ptr<ChainClient> client_;
  Block at_;
};

// Succeeds where `signature` over `digest` is `signer`'s. Without `contracts` only the account's
// own key counts. Errors: signer.mismatch; those of ChainClient.
Result<> VerifySigner(const EthAddress& signer, const Hash32& digest, ByteView signature,
                      const ContractWallets* contracts);

// EIP-191 version 0x45 ("personal_sign"): the digest of a text.
Hash32 PersonalDigest(std::string_view text);

}  // namespace cce::chain
