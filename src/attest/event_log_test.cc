#include "attest/event_log.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"

namespace cce::attest {
namespace {

void Put(Bytes& out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

// The Spec ID event with SHA-256 and SHA-384.
Bytes SpecId() {
  Bytes out;
  Put(out, 1, 4);
  Put(out, 3, 4);
  out.resize(out.size() + 20);
  Bytes data = ToBytes("Spec ID Event03");
  data.resize(24);
  Put(data, 2, 4);
  Put(data, 0x0b, 2);
  Put(data, 32, 2);
  Put(data, 0x0c, 2);
  Put(data, 48, 2);
  data.push_back(0);
  Put(out, data.size(), 4);
  Append(out, data);
  return out;
}

void AddEvent(Bytes& log, uint32_t index, uint32_t type, const ByteArray<48>& digest,
              std::string_view data) {
  Put(log, index, 4);
  Put(log, type, 4);
  Put(log, 2, 4);
  Put(log, 0x0b, 2);
  log.resize(log.size() + 32);
  Put(log, 0x0c, 2);
  Append(log, digest);
  Put(log, data.size(), 4);
  Append(log, AsBytes(data));
}

ByteArray<48> Extended(const ByteArray<48>& start, const ByteArray<48>& digest) {
  Bytes both(start.begin(), start.end());
  Append(both, digest);
  return crypto::Sha384(both);
}

TEST(EventLog, ReplaysCcel) {
  Bytes log = SpecId();
  const ByteArray<48> a = {1}, b = {2};
  AddEvent(log, 1, 0x80000008, a, "firmware");
  AddEvent(log, 1, 3, {}, "no action");
  AddEvent(log, 4, 4, b, "");
  log.resize(log.size() + 100, 0xff);
  const Result<EventLog> read = ParseEventLog(log);
  ASSERT_TRUE(read.has_value()) << FormatError(read.error());
  ASSERT_EQ(read->events.size(), 3u);
  EXPECT_EQ(read->rtmr[0], Extended({}, a));
  EXPECT_EQ(read->rtmr[3], Extended({}, b));
  EXPECT_EQ(read->rtmr[1], (ByteArray<48>{}));
  EXPECT_FALSE(read->events[1].extended);
  EXPECT_EQ(EventTypeName(read->events[0].type), "EV_EFI_PLATFORM_FIRMWARE_BLOB");
  TdBody body;
  body.rtmr = read->rtmr;
  EXPECT_TRUE(DifferingRtmrs(*read, body).empty());
  body.rtmr[2][0] = 1;
  EXPECT_EQ(DifferingRtmrs(*read, body), std::vector<size_t>{2});
}

TEST(EventLog, RefusesMalformedCcel) {
  Bytes log = SpecId();
  AddEvent(log, 1, 4, {}, "data");
  const size_t start = SpecId().size();
  EXPECT_TRUE(ParseCcel(log).has_value());
  for (size_t size = start + 8; size < log.size(); ++size) {
    EXPECT_FALSE(ParseCcel(ByteView(log).first(size)).has_value()) << size;
  }
  for (size_t size = 0; size < start; ++size) {
    EXPECT_FALSE(ParseCcel(ByteView(log).first(size)).has_value()) << size;
  }
  const auto with = [&](size_t at, uint8_t value) {
    Bytes changed = log;
    changed[at] = value;
    return ParseCcel(changed).has_value();
  };
  EXPECT_FALSE(with(start, 5));       // register 5
  EXPECT_FALSE(with(start + 8, 3));   // more digests than algorithms
  EXPECT_FALSE(with(start + 12, 1));  // unknown algorithm
  EXPECT_FALSE(with(40, 'X'));        // no Spec ID
  Bytes mrtd = SpecId();
  AddEvent(mrtd, 0, 4, {}, "");
  EXPECT_FALSE(ParseCcel(mrtd).has_value());
}

TEST(EventLog, ReplaysTheJsonForm) {
  const std::string digest = ToHex(ByteArray<48>{7});
  const std::string text = R"([{"imr":3,"event_type":134217729,"digest":")" + digest +
                           R"(","event":"app-id","event_payload":"00ff"}])";
  for (const std::string& form : {text, R"({"event_log":)" + text + "}",
                                  ToJson(json::object{{"quote", "00"}, {"event_log", text}})}) {
    const Result<EventLog> log = ParseEventLog(AsBytes(form));
    ASSERT_TRUE(log.has_value()) << FormatError(log.error());
    EXPECT_EQ(log->rtmr[3], Extended({}, {7}));
    EXPECT_EQ(log->events.at(0).name, "app-id");
    EXPECT_EQ(log->events.at(0).data, (Bytes{0, 0xff}));
  }
  EXPECT_FALSE(ParseDstackLog(R"([{"imr":4,"event_type":1,"digest":""}])").has_value());
  EXPECT_FALSE(ParseDstackLog("[1]").has_value());
  EXPECT_FALSE(ParseDstackLog("{}").has_value());
  EXPECT_FALSE(ParseDstackLog("").has_value());
}

}  // namespace
}  // namespace cce::attest
