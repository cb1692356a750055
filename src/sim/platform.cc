#include "sim/platform.h"

#include "crypto/hash.h"

namespace cce::sim {

ByteArray<32> QeSigner() { return crypto::Sha256(Frame("cce4long/v1/sim-qe-signer", {})); }
ByteArray<32> QeMeasurement() { return crypto::Sha256(Frame("cce4long/v1/sim-qe", {})); }
ByteArray<48> ModuleMeasurement() {
  return crypto::Sha384(Frame("cce4long/v1/sim-tdx-module", {}));
}

}  // namespace cce::sim
