#include "chain/signer.h"

#include "crypto/hash.h"

namespace cce::chain {
namespace {

// bytes4(keccak256("isValidSignature(bytes32,bytes)")), left in its word (EIP-1271).
constexpr std::string_view kIsValidSignature = "isValidSignature(bytes32,bytes)";

}  // namespace

Result<bool> ChainWallets::Accepts(const EthAddress& wallet, const Hash32& digest,
                                   ByteView signature) const {
  ASSIGN_OR_RETURN(const Bytes code, client_->Code(wallet, at_));
  if (code.empty()) return false;
  const Bytes data = AbiWriter(kIsValidSignature).Word(digest).Dynamic(signature).Finish();
  const Result<Bytes> answer = client_->Call(wallet, data, at_);
  if (!answer && answer.error().code == "chain.reverted") return false;
  if (!answer) return Fail(answer.error());
  Hash32 magic{};
  const auto selector = Selector(kIsValidSignature);
  std::copy(selector.begin(), selector.end(), magic.begin());
  return Equal(*answer, magic);
}

Result<> VerifySigner(const EthAddress& signer, const Hash32& digest, ByteView signature,
                      const ContractWallets* contracts) {
  std::string found = "a signature of " + std::to_string(signature.size()) + " bytes";
  if (signature.size() == 65) {
    const auto recovered = crypto::EthRecover(digest, signature);
    if (recovered && *recovered == signer) return {};
    if (recovered) found = FormatAddress(*recovered);
  }
  if (contracts != nullptr && signature.size() <= kMaxSignatureSize) {
    ASSIGN_OR_RETURN(const bool accepts, contracts->Accepts(signer, digest, signature));
    if (accepts) return {};
  }
  return Fail(MakeError("signer.mismatch", "the signature is not the expected signer's")
                  .Expected(FormatAddress(signer))
                  .Found(std::move(found)));
}

Hash32 PersonalDigest(std::string_view text) {
  Bytes message =
      ToBytes(std::string_view("\x19"
                               "Ethereum Signed Message:\n"));
  Append(message, AsBytes(std::to_string(text.size())));
  Append(message, AsBytes(text));
  return crypto::Keccak256(message);
}

}  // namespace cce::chain
