// The runner behind attest-vectors: real evidence with known verdicts, and the mutation check. Not
// part of the library.
#pragma once

#include <string>
#include <vector>

#include "attest/verify.h"
#include "base/json.h"

namespace cce::attest::vectors {

// What one run found.
struct Tally {
  size_t cases = 0;
  size_t as_expected = 0;
  // Prints a deviation, and counts.
  void Case(const std::string& name, const std::vector<std::string>& deviations);
};

// A folder of vectors; ends the program with exit code 2 and a message where a file cannot be used.
class Folder {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  Bytes Read(std::string_view name) const;  // ".hex" files are decoded
  std::string Text(std::string_view name) const;
  json::object Cases() const;

 private:
  std::string path_;
};

// Everything that one case hands to Verify.
struct Input {
  std::string name;
  Bytes evidence;
  EvidenceForm form = EvidenceForm::kAuto;
  Collateral collateral;
  Policy policy;
  UnixSeconds time = 0;
};
Verdict Run(const Input& input);

std::vector<Input> TdxInputs(const Folder& folder);  // with the strict policy
std::vector<Input> SnpInputs(const Folder& folder);  // strict; CRL required where one is given

void RunTdx(const Folder& folder, Tally& tally);
void RunSnp(const Folder& folder, Tally& tally);
void RunEventLogs(const Folder& tdx, Tally& tally);
// Flips bits of accepted cases: all of one case of each kind, a stride of the others; every one
// must be refused.
void RunMutations(const Folder& tdx, const Folder& snp, size_t stride, Tally& tally);

}  // namespace cce::attest::vectors
