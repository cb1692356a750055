#include "protocol/identifiers.h"

namespace cce::protocol {

std::string AddressText(const ByteArray<20>& address) { return "0x" + ToHex(address); }

Result<ByteArray<20>> AddressFromHex(std::string_view text) {
  Result<ByteArray<20>> address = ArrayFromHex<20>(text, /*allow_0x=*/true);
  if (!address) {
    return Fail(MakeError("input.malformed", "an address is malformed")
                    .Expected("0x and 40 hex digits")
                    .Found(std::string(text.substr(0, 60))));
  }
  return address;
}

}  // namespace cce::protocol
