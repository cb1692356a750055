// What people see: progress lines, sizes, an owner's view of a job.
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/owner_view.h"
#include "cli/progress.h"
#include "cli/test_support.h"

namespace cce::cli {
namespace {

TEST(View, Bytes) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(uint64_t{5} << 40), "5.0 TiB");
}

TEST(View, ProgressLine) {
  EXPECT_EQ(ProgressLine({.what = "upload",
                          .bytes = 512 << 10,
                          .total_bytes = 2 << 20,
                          .files = 3,
                          .total_files = 9,
                          .rate = 1 << 20}),
            "upload 25%  512.0 KiB of 2.0 MiB  3 of 9 files  1.0 MiB/s  2 s left");
  EXPECT_EQ(ProgressLine({.what = "download"}), "download 100%  0 B of 0 B");
}

TEST(View, UntrustedTextLosesControlCharacters) {
  EXPECT_EQ(Clean("a\x1b[31mb\r\nc\x7f"), "a [31mb \nc ");
  // C1: U+009B starts a control sequence as ESC [ does, in UTF-8 and as a bare byte.
  EXPECT_EQ(Clean("a\u009b31m"), "a 31m");
  EXPECT_EQ(Clean("a\x9b"
                  "31m"),
            "a?31m");
  // What would show "txt.exe" as "exe.txt".
  for (const char* turn : {"\u202a", "\u202e", "\u2066", "\u2069", "\u200f", "\u061c", "\u2028"}) {
    EXPECT_EQ(Clean(std::string("a") + turn + "b"), "a b");
  }
}

TEST(View, OtherTextStays) {
  const std::string text = "Zürich \u2713 \u65e5\u672c \U0001f512 \u00a0\u200d";
  EXPECT_EQ(Clean(text), text);
}

TEST(View, WhatIsNotUtf8IsMarked) {
  for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x80", "\xff"}) {
    const std::string shown = Clean(bad);
    EXPECT_EQ(shown, std::string(std::string_view(bad).size(), '?'));
  }
}

TEST(View, Authority) {
  EXPECT_EQ(AuthorityOf("https://a.example:8443/x"), "a.example:8443");
  EXPECT_EQ(AuthorityOf("https://[::1]:1"), "[::1]:1");
}

TEST(View, OwnerJob) {
  const json::value job = Must(ParseJson(R"({
    "job": "00ff", "state": "failed", "outcome": "internal", "title": "t\u001b[2J",
    "stages": [{"name": "cvm", "millis": 42}],
    "refusals": [{"time": 1700000000, "step": "keys", "code": "evidence.measurement",
      "message": "the guest is none that the policy lists", "expected": "guest A",
      "found": "another", "next": "", "detail": "d",
      "verdict": {"nearest_measurement": {"name": "guest A"},
        "checks": [{"rule": "r.ok", "title": "a good one", "state": "pass"},
                   {"rule": "r", "title": "group", "state": "fail",
                    "checks": [{"rule": "r.x", "title": "known guest", "state": "fail",
                                "expected": "e", "actual": "a", "mend": "m"}]}]}}],
    "report": {"decision": "needs_human", "score": 0.9,
      "findings": [{"class": "records", "strength": 1, "message": "rows of the dataset",
                    "file": "out.csv", "place": "line 2"}]}})"));
  const std::string text = OwnerJobText(job.as_object());
  for (const char* wanted :
       {"failed", "cvm", "42 ms", "refused at keys, 2023-11-14 22:13:20Z", "evidence.measurement",
        "nearest known guest: guest A", "✗ known guest", "expected: e", "mend: m", "needs_human",
        "score 0.90", "✗ records", "in out.csv line 2"}) {
    EXPECT_NE(text.find(wanted), std::string::npos) << wanted << "\n" << text;
  }
  EXPECT_EQ(text.find("a good one"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(View, OwnerJobOfAnyShapeDoesNotFail) {
  for (const char* text :
       {"{}", R"({"stages": 1, "refusals": [3], "report": []})",
        R"({"refusals": [{"time": "x", "verdict": {"checks": [null, {"checks": {}}]}}]})"}) {
    OwnerJobText(Must(ParseJson(text)).as_object());
  }
}

}  // namespace
}  // namespace cce::cli
