// For this part's tests only.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/secret.h"
#include "base/testing.h"
#include "chain/abi.h"

namespace cce::chain {

// Keys of anvil's well-known accounts ("test test test ... junk"): public, so never worth anything.
inline SecretBytes TestKey(int i) {
  constexpr std::string_view kKeys[] = {
      "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
      "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
      "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"};
  return SecretBytes::Adopt(FromHex(kKeys[i]).value());
}

inline EthAddress TestAddress(int i) { return crypto::EthAddressOf(TestKey(i)).value(); }

}  // namespace cce::chain
