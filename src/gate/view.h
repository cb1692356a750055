// What the decoder made of an output: a list of views, one for each thing that can be read at some
// depth of packing. Views are what the detectors look at; they hold the consumer's output in the
// clear.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cce::gate {

enum class ViewKind : uint8_t {
  kText = 1,        // UTF-8 prose, logs, anything without a structure of its own
  kTable = 2,       // delimited lines: one separator, the same number of cells on nearly each line
  kJson = 3,        // a JSON text, or one per line
  kSvg = 4,         // XML whose root is svg
  kXml = 5,         // other XML or HTML
  kBinary = 6,      // bytes of a known or unknown format that no detector can read
  kUnreadable = 7,  // could not be decoded within the limits; `why` says what stood in the way
};

// Why a view is kUnreadable (kNone for the others).
enum class Unread : uint8_t {
  kNone = 0,
  kCorrupt = 1,     // truncated, or not what its first bytes promise
  kEncrypted = 2,   // a locked archive member
  kTooDeep = 3,     // nested past the depth limit
  kLimit = 4,       // past the ratio, size or count limit
  kTrailing = 5,    // bytes behind, before or between what an archive lists
  kNotRegular = 6,  // a link, a device, a socket
  kBadName = 7,     // absolute, "..", a NUL or other control character, too long, twice the same
};

struct View {
  std::vector<std::string>
      chain;  // outermost file first: {"results.zip", "a.csv"}; at most depth + 1 names
  ViewKind kind = ViewKind::kUnreadable;
  Unread why = Unread::kNone;
  Bytes
      bytes;  // kText to kXml: valid UTF-8 without a byte order mark; else as found (may be empty)
};

// "results.zip > a.csv"; control characters shown as '?'.
std::string ChainText(const View& view);
std::string_view KindName(ViewKind kind);
std::string_view UnreadName(Unread why);

// The stream between decoder and parent (docs/formats/gate.md, "Decoder stream").
struct ViewLimits {
  uint64_t max_total = uint64_t{1} << 30;  // bytes of all views together
  uint32_t max_views = 20000;
  uint32_t max_chain = 16;
  uint32_t max_name = 4096;
};
constexpr std::string_view kViewStreamMagic = "CCEV1\n";
// One view as a record of the stream.
Bytes EncodeViewHeader(const View& view, uint64_t body_size);
// The record that ends a complete stream.
Bytes EncodeViewEnd(uint32_t view_count);
// The whole stream. Errors: gate.decoder_failed for anything that is not exactly a complete stream
// within the limits.
Result<std::vector<View>> ParseViewStream(ByteView stream, const ViewLimits& limits);

}  // namespace cce::gate
