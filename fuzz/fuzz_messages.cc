// The messages that cced, the launcher and tee-agent read from each other and from the host.
#include "protocol/credential.h"
#include "protocol/dataset_policy.h"
#include "protocol/identity.h"
#include "protocol/job_api.h"
#include "protocol/launch_document.h"
#include "protocol/machine.h"
#include "protocol/upload.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cce::protocol;  // NOLINT: one file, one function
  const cce::ByteView bytes(data, size);
  const std::string_view text = cce::AsText(bytes);
  if (const auto spec = DecodeJobSpec(bytes)) {
    if (!DecodeJobSpec(EncodeJobSpec(*spec))) __builtin_trap();
  }
  (void)DecodeIdentity(bytes);
  (void)DecodeKeyBundle(bytes);
  (void)DecodeLaunchDocument(bytes);
  (void)DecodePolicy(bytes);
  (void)ReadCredential(text);
  (void)ReadDelivery(text);
  (void)ReadDraftStatus(text);
  (void)ReadRoomRequest(text);
  (void)ReadKeysReply(text);
  (void)ReadKeysRequest(text);
  (void)ReadMachineRequest(text);
  (void)ReadResultHeader(text);
  (void)ReadSubmitJobRequest(text);
  return 0;
}
