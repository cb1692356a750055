#include "gate/view.h"

#include <algorithm>

namespace cce::gate {
namespace {

constexpr uint8_t kRecordEnd = 0;
constexpr uint8_t kRecordView = 1;

Unexpected Broken(std::string what) { return Fail("gate.decoder_failed", std::move(what)); }

Result<View> ReadView(ByteReader& reader, const ViewLimits& limits) {
  View view;
  ASSIGN_OR_RETURN(const uint8_t kind, reader.U8());
  ASSIGN_OR_RETURN(const uint8_t why, reader.U8());
  ASSIGN_OR_RETURN(const uint8_t names, reader.U8());
  if (kind < 1 || kind > 7 || why > 7 || names > limits.max_chain) {
    return Broken("the decoder's stream holds an impossible view");
  }
  view.kind = static_cast<ViewKind>(kind);
  view.why = static_cast<Unread>(why);
  if ((view.kind == ViewKind::kUnreadable) != (view.why != Unread::kNone)) {
    return Broken("the decoder's stream contradicts itself");
  }
  for (int i = 0; i < names; ++i) {
    ASSIGN_OR_RETURN(const ByteView name, reader.Prefixed32(limits.max_name));
    view.chain.emplace_back(AsText(name));
  }
  ASSIGN_OR_RETURN(const uint64_t size, reader.U64());
  ASSIGN_OR_RETURN(const ByteView body, reader.Take(size));
  view.bytes = ToBytes(body);
  return view;
}

Result<std::vector<View>> ReadViews(ByteView stream, const ViewLimits& limits) {
  ByteReader reader(stream);
  ASSIGN_OR_RETURN(const ByteView magic, reader.Take(kViewStreamMagic.size()));
  if (AsText(magic) != kViewStreamMagic) return Broken("the decoder's stream has another magic");
  std::vector<View> views;
  uint64_t total = 0;
  for (;;) {
    ASSIGN_OR_RETURN(const uint8_t type, reader.U8());
    if (type == kRecordEnd) {
      ASSIGN_OR_RETURN(const uint32_t count, reader.U32());
      TRY(reader.ExpectEnd());
      if (count != views.size()) return Broken("the decoder's stream lacks views");
      return views;
    }
    if (type != kRecordView || views.size() >= limits.max_views) {
      return Broken("the decoder's stream holds an unknown record or too many");
    }
    ASSIGN_OR_RETURN(View view, ReadView(reader, limits));
    total += view.bytes.size();
    if (total > limits.max_total) return Broken("the decoder's views are larger than allowed");
    views.push_back(std::move(view));
  }
}

}  // namespace

std::string ChainText(const View& view) {
  std::string out;
  for (const std::string& name : view.chain) {
    if (!out.empty()) out += " > ";
    for (const char c : name) {
      out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
  }
  return out;
}

std::string_view KindName(ViewKind kind) {
  switch (kind) {
    case ViewKind::kText:
      return "text";
    case ViewKind::kTable:
      return "table";
    case ViewKind::kJson:
      return "json";
    case ViewKind::kSvg:
      return "svg";
    case ViewKind::kXml:
      return "xml";
    case ViewKind::kBinary:
      return "binary";
    case ViewKind::kUnreadable:
      return "unreadable";
  }
  return "unreadable";
}

std::string_view UnreadName(Unread why) {
  switch (why) {
    case Unread::kNone:
      return "readable";
    case Unread::kCorrupt:
      return "corrupt or truncated";
    case Unread::kEncrypted:
      return "encrypted";
    case Unread::kTooDeep:
      return "nested too deep";
    case Unread::kLimit:
      return "past a size, ratio or count limit";
    case Unread::kTrailing:
      return "bytes outside what the archive lists";
    case Unread::kNotRegular:
      return "not a regular file";
    case Unread::kBadName:
      return "a hostile name";
  }
  return "unreadable";
}

Bytes EncodeViewHeader(const View& view, uint64_t body_size) {
  Bytes out;
  out.push_back(kRecordView);
  out.push_back(static_cast<uint8_t>(view.kind));
  out.push_back(static_cast<uint8_t>(view.why));
  out.push_back(static_cast<uint8_t>(view.chain.size()));
  for (const std::string& name : view.chain) {
    AppendU32(out, static_cast<uint32_t>(name.size()));
    Append(out, AsBytes(name));
  }
  AppendU64(out, body_size);
  return out;
}

Bytes EncodeViewEnd(uint32_t view_count) {
  Bytes out;
  out.push_back(kRecordEnd);
  AppendU32(out, view_count);
  return out;
}

Result<std::vector<View>> ParseViewStream(ByteView stream, const ViewLimits& limits) {
  auto views = ReadViews(stream, limits);
  if (!views && views.error().code != "gate.decoder_failed") {
    return Broken("the decoder's stream is cut short");
  }
  return views;
}

}  // namespace cce::gate
