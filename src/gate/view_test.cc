#include "gate/view.h"

#include <gtest/gtest.h>

namespace cce::gate {
namespace {

Bytes Stream() {
  Bytes out = ToBytes(kViewStreamMagic);
  View view{.chain = {"a.zip", "b.csv"}, .kind = ViewKind::kTable, .bytes = ToBytes("1,2\n")};
  Append(out, EncodeViewHeader(view, view.bytes.size()));
  Append(out, view.bytes);
  Append(out, EncodeViewEnd(1));
  return out;
}

TEST(ViewStream, RoundTrip) {
  const auto views = ParseViewStream(Stream(), {});
  ASSERT_TRUE(views);
  ASSERT_EQ(views->size(), 1u);
  EXPECT_EQ(ChainText(views->at(0)), "a.zip > b.csv");
  EXPECT_EQ(AsText(views->at(0).bytes), "1,2\n");
}

TEST(ViewStream, TestVector) {
  EXPECT_EQ(ToHex(Stream()),
            "43434556310a010200020000"
            "0005612e7a697000000005622e6373760000000000000004312c320a0000000001");
}

TEST(ViewStream, EveryPrefixFails) {
  const Bytes stream = Stream();
  for (size_t n = 0; n < stream.size(); ++n) {
    const auto views = ParseViewStream(ByteView(stream).first(n), {});
    ASSERT_FALSE(views) << n;
    EXPECT_EQ(views.error().code, "gate.decoder_failed");
  }
}

TEST(ViewStream, RefusesWhatIsNotExact) {
  Bytes more = Stream();
  more.push_back(0);
  EXPECT_FALSE(ParseViewStream(more, {}));
  Bytes kind = Stream();
  kind[7] = 9;
  EXPECT_FALSE(ParseViewStream(kind, {}));
  Bytes why = Stream();
  why[8] = 1;  // readable and unreadable at once
  EXPECT_FALSE(ParseViewStream(why, {}));
  Bytes count = Stream();
  count.back() = 2;
  EXPECT_FALSE(ParseViewStream(count, {}));
  EXPECT_FALSE(ParseViewStream(Stream(), {.max_total = 3}));
  EXPECT_FALSE(ParseViewStream(Stream(), {.max_views = 0}));
  EXPECT_FALSE(ParseViewStream(Stream(), {.max_name = 4}));
}

TEST(ViewStream, ControlCharactersDoNotShow) {
  EXPECT_EQ(ChainText(View{.chain = {"a\x1b[31mb"}, .bytes = {}}), "a?[31mb");
}

}  // namespace
}  // namespace cce::gate
