// The mutation check: every bit that a signature covers matters.
#include <cstdio>
#include <functional>
#include <set>

#include "attest/tdx_layout.h"
#include "attest/vectors.h"

namespace cce::attest::vectors {
namespace {

// One run of bytes to flip bits in, and where they stand.
struct Target {
  std::string what;
  std::span<uint8_t> bytes;
  std::function<bool(size_t)> covered;  // absent: all
};

std::span<uint8_t> Of(Bytes& bytes) { return bytes; }
std::span<uint8_t> Of(std::string& text) {
  return {reinterpret_cast<uint8_t*>(text.data()), text.size()};
}

// A quote up to its trailing bytes. In the PEM text white space and what follows the last
// certificate are form.
Target QuoteTarget(Bytes& evidence) {
  const Result<TdxQuote> quote = ParseTdxQuote(evidence);
  const size_t used = evidence.size() - quote->trailing;
  const size_t pem = static_cast<size_t>(quote->pck_chain_pem.data() - evidence.data());
  const std::string_view text = AsText(quote->pck_chain_pem);
  const std::string_view end = "-----END CERTIFICATE-----";
  const size_t pem_end = pem + text.rfind(end) + end.size();
  return {"quote", Of(evidence).first(used), [&evidence, pem, pem_end](size_t at) {
            if (at < pem) return true;
            const uint8_t c = evidence[at];
            return at < pem_end && c != '\n' && c != '\r';
          }};
}

std::vector<Target> TargetsOf(Input& input) {
  std::vector<Target> out;
  if (input.collateral.tdx.has_value()) {
    TdxCollateral& c = *input.collateral.tdx;
    out.push_back(QuoteTarget(input.evidence));
    out.push_back({"TCB info", Of(c.tcb_info.body), nullptr});
    out.push_back({"TCB info signature", Of(c.tcb_info.signature), nullptr});
    out.push_back({"QE identity", Of(c.qe_identity.body), nullptr});
    out.push_back({"QE identity signature", Of(c.qe_identity.signature), nullptr});
    out.push_back({"PCK CRL", Of(c.pck_crl), nullptr});
    out.push_back({"root CRL", Of(c.root_crl), nullptr});
    for (Bytes& der : c.tcb_info_chain) out.push_back({"TCB signing chain", Of(der), nullptr});
  } else if (input.collateral.snp.has_value()) {
    SnpCollateral& c = *input.collateral.snp;
    out.push_back({"report", Of(input.evidence), nullptr});
    out.push_back({"VEK", Of(c.vek), nullptr});
    out.push_back({"intermediate", Of(c.ask), nullptr});
    out.push_back({"ARK", Of(c.ark), nullptr});
    if (!c.crl.empty()) out.push_back({"CRL", Of(c.crl), nullptr});
  }
  return out;
}

// Distinct bits of the same byte for each step, so that strides reach all bit positions.
void Mutate(Input& input, size_t stride, Tally& tally) {
  for (Target& target : TargetsOf(input)) {
    const size_t bits = target.bytes.size() * 8;
    for (size_t bit = 0; bit < bits; bit += stride) {
      const size_t at = bit / 8;
      if (target.covered && !target.covered(at)) continue;
      const uint8_t mask = static_cast<uint8_t>(1u << (bit % 8));
      target.bytes[at] ^= mask;
      const Verdict verdict = Run(input);
      target.bytes[at] ^= mask;
      ++tally.cases;
      if (!verdict.accepted && verdict.first_failure) {
        ++tally.as_expected;
      } else {
        std::printf("%s: accepted with bit %zu of byte %zu of the %s flipped\n", input.name.c_str(),
                    bit % 8, at, target.what.c_str());
      }
    }
  }
}

std::string KindOf(const Input& input) {
  if (const Result<TdxQuote> quote = ParseTdxQuote(input.evidence)) {
    return quote->body.td15 ? "tdx-1.5" : "tdx-1.0";
  }
  const Result<SnpReport> report = ParseSnpReport(input.evidence);
  if (!report) return "";
  return std::string(ProductName(report->product())) + std::to_string(report->signing_key());
}

}  // namespace

void RunMutations(const Folder& tdx, const Folder& snp, size_t stride, Tally& tally) {
  std::vector<Input> inputs = TdxInputs(tdx);
  for (Input& input : SnpInputs(snp)) inputs.push_back(std::move(input));
  std::set<std::string> whole;
  for (Input& input : inputs) {
    input.policy.snp.vmpls = {0, 1, 2, 3};
    if (!Run(input).accepted) continue;
    const bool all = whole.insert(KindOf(input)).second;
    const size_t before = tally.cases;
    Mutate(input, all ? 1 : stride, tally);
    std::printf("%s: %zu mutations%s\n", input.name.c_str(), tally.cases - before,
                all ? " (every bit)" : "");
    std::fflush(stdout);
  }
}

}  // namespace cce::attest::vectors
