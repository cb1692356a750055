// gate-decoder: packed output on standard input, views (or a list of its files) on standard
// output, and nothing else. It
// runs without keys, environment, files or network, and ends at the first thing that it does not
// expect. Started by gate/decode.cc only.
#include <unistd.h>

#include <new>

#include "base/file.h"
#include "crypto/hash.h"
#include "gate/decoder/layers.h"
#include "gate/decoder/members.h"
#include "gate/decoder/request.h"
#include "gate/decoder/sandbox.h"

namespace cce::gate {
namespace {

Result<> WriteViews(const DecodeRequest& request, ByteView tar) {
  TRY(WriteAll(1, AsBytes(kViewStreamMagic)));
  LayerDecoder decoder(request, [](const View& view) -> Result<> {
    TRY(WriteAll(1, EncodeViewHeader(view, view.bytes.size())));
    return WriteAll(1, view.bytes);
  });
  TRY(decoder.DecodeOuter(tar));
  return WriteAll(1, EncodeViewEnd(decoder.views()));
}

Result<> WriteList(const DecodeRequest& request, ByteView tar) {
  TRY(WriteAll(1, AsBytes(kListStreamMagic)));
  ASSIGN_OR_RETURN(const uint32_t files,
                   ListMembers(tar, request.max_views, [](const OutputFile& file) {
                     return WriteAll(1, EncodeListedFile(file));
                   }));
  return WriteAll(1, EncodeListEnd(files));
}

Result<> Run() {
  TRY(PrepareProcess());
  Bytes head(kDecodeRequestSize);
  TRY(ReadExact(0, head));
  ASSIGN_OR_RETURN(const DecodeRequest request, ParseDecodeRequest(head));
  // The library looks for its configuration at first use; behind the filter it could not.
  if (request.mode == DecodeMode::kList) crypto::Sha256({});
  TRY(EnterSandbox(request));
  ASSIGN_OR_RETURN(const Bytes tar, ReadToEnd(0, request.max_total));
  return request.mode == DecodeMode::kList ? WriteList(request, tar) : WriteViews(request, tar);
}

}  // namespace
}  // namespace cce::gate

int main() {
  try {
    _exit(cce::gate::Run() ? 0 : 1);
  } catch (const std::bad_alloc&) {
    _exit(2);
  } catch (...) {
    _exit(3);
  }
}
