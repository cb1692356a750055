// attest-vectors DIR [--mutate [--stride N]]: runs every case of DIR/tdx/cases.json and
// DIR/snp/cases.json and the event logs through the verifier, prints each deviation and "N cases, N
// as expected". Exit 0: none deviates.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "attest/vectors.h"

namespace {

int Usage() {
  std::fputs("usage: attest-vectors DIR [--mutate [--stride N]]\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  namespace v = cce::attest::vectors;
  std::string dir;
  bool mutate = false;
  size_t stride = 211;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--mutate") {
      mutate = true;
    } else if (arg == "--stride" && i + 1 < argc) {
      stride = std::strtoul(argv[++i], nullptr, 10);
    } else if (dir.empty() && !arg.starts_with("-")) {
      dir = arg;
    } else {
      return Usage();
    }
  }
  if (dir.empty() || stride == 0) return Usage();
  const v::Folder tdx(dir + "/tdx");
  const v::Folder snp(dir + "/snp");
  v::Tally tally;
  if (mutate) {
    v::RunMutations(tdx, snp, stride, tally);
    std::printf("%zu mutations, %zu refused\n", tally.cases, tally.as_expected);
  } else {
    v::RunTdx(tdx, tally);
    v::RunSnp(snp, tally);
    v::RunEventLogs(tdx, tally);
    std::printf("%zu cases, %zu as expected\n", tally.cases, tally.as_expected);
  }
  return tally.cases > 0 && tally.cases == tally.as_expected ? 0 : 1;
}
