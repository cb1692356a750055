// Taking an output apart, layer by layer, into views.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "gate/decoder/request.h"
#include "gate/view.h"

struct archive;
struct archive_entry;

namespace cce::gate {

class LayerDecoder {
 public:
  using Sink = std::function<Result<>(const View& view)>;
  LayerDecoder(const DecodeRequest& limits, Sink sink) : limits_(limits), sink_(std::move(sink)) {}

  // `tar`: the packed output. All that can be seen goes to the sink; what cannot, as kUnreadable.
  // Errors: those of the sink, and gate.decoder_failed when there are more views than allowed.
  Result<> DecodeOuter(ByteView tar);
  uint32_t views() const { return views_; }

 private:
  using Chain = std::vector<std::string>;
  enum class Packing { kNone, kTar, kZip, k7zip, kStream };

  Result<> Decode(const Chain& chain, Bytes bytes, uint32_t depth);
  Result<> DecodeArchive(const Chain& chain, ByteView bytes, Packing packing, uint32_t depth);
  Result<> DecodeMember(const Chain& chain, archive* a, archive_entry* entry, uint64_t& allowance,
                        uint32_t depth);
  Result<> DecodeStream(const Chain& chain, ByteView bytes, uint32_t depth);
  Result<> DecodeText(const Chain& chain, Bytes text, uint32_t depth);
  Result<> DecodeBlocks(const Chain& chain, std::string_view text, uint32_t depth);
  Result<> DecodeBlock(const Chain& chain, std::string name, Bytes bytes, uint32_t depth);

  // Reads the data of the entry that `a` stands at; false when a limit or an error stopped it.
  Unread ReadData(archive* a, uint64_t& allowance, Bytes& out);
  uint64_t Allowance(size_t packed) const;
  Result<> Emit(Chain chain, ViewKind kind, Unread why, Bytes bytes);
  static Packing Recognise(ByteView bytes);

  DecodeRequest limits_;
  Sink sink_;
  uint64_t total_ = 0;    // bytes decoded by all layers
  uint64_t emitted_ = 0;  // bytes of views
  uint32_t views_ = 0;
};

}  // namespace cce::gate
