#include "gate/record_evidence.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace cce::gate {
namespace {

// Bits to say which k of n.
double ChoiceBits(size_t k, size_t n) {
  if (k == 0 || k >= n) return 0;
  const double q = static_cast<double>(k) / static_cast<double>(n);
  return static_cast<double>(n) * -(q * std::log2(q) + (1 - q) * std::log2(1 - q));
}

class Reporter {
 public:
  Reporter(LeakLookup& lookup, const FileEvidence& evidence, uint64_t windows, int dataset,
           std::vector<Finding>& findings)
      : lookup_(lookup),
        data_(lookup.data()),
        evidence_(evidence),
        windows_(windows),
        dataset_(dataset),
        findings_(findings) {}
  void Records() const;
  void Together() const;
  void Whole() const;
  void Values() const;

 private:
  double Evidence(const Candidate& candidate) const;
  std::set<uint32_t> ColumnsOf() const;
  static double EvidenceWithin(const Candidate& candidate, const std::set<uint32_t>& columns);
  std::string Describe(const Candidate& candidate, double bits) const;

  LeakLookup& lookup_;
  const LeakIndex::Data& data_;
  const FileEvidence& evidence_;
  uint64_t windows_;
  int dataset_;
  std::vector<Finding>& findings_;
};

std::string Reporter::Describe(const Candidate& candidate, double bits) const {
  const TableInfo& table = data_.tables[candidate.table];
  std::string out = lookup_.RowName(candidate.row) + ": " +
                    std::to_string(candidate.matches.size()) + " of " +
                    std::to_string(table.columns.size()) + " cells (";
  for (size_t i = 0; i < std::min<size_t>(candidate.matches.size(), 6); ++i) {
    if (i > 0) out += ", ";
    out += table.columns[candidate.matches[i].column - table.first_column];
  }
  if (candidate.matches.size() > 6) out += ", ...";
  return out + "), " + std::to_string(static_cast<int>(bits)) + " bits";
}

// Evidence less what it costs to say which cells were found. Either of the row's cells, each by the
// chance that the window holds it; or of the window's tokens, each by the chance that it equals any
// cell of the row: a short window that is all matched says more by its tokens, a long one by its
// cells.
double Reporter::Evidence(const Candidate& candidate) const {
  double tokens = 0;
  size_t k = 0;
  for (const CellMatch& m : candidate.matches) {
    if (m.token_bits <= 0) continue;
    tokens += static_cast<double>(m.token_bits);
    ++k;
  }
  tokens -= ChoiceBits(k, candidate.tokens);
  const double cells =
      static_cast<double>(candidate.bits) -
      ChoiceBits(candidate.matches.size(), InformativeColumns(data_.tables[candidate.table]));
  return std::max(tokens, cells);
}

// The columns that the whole file seems to be made of: naming them once is cheaper than for each
// row.
std::set<uint32_t> Reporter::ColumnsOf() const {
  std::map<uint32_t, size_t> votes;
  for (const Candidate& c : evidence_.candidates) {
    for (const CellMatch& m : c.matches) ++votes[m.column];
  }
  std::set<uint32_t> columns;
  for (const auto& [column, n] : votes) {
    if (n * 2 >= evidence_.candidates.size()) columns.insert(column);
  }
  return columns;
}

// Evidence by cells of these columns alone, less what it costs to say which of them were found.
double Reporter::EvidenceWithin(const Candidate& candidate, const std::set<uint32_t>& columns) {
  double bits = 0;
  size_t k = 0;
  for (const CellMatch& m : candidate.matches) {
    if (columns.count(m.column) == 0) continue;
    bits += static_cast<double>(m.bits);
    ++k;
  }
  return bits - ChoiceBits(k, columns.size());
}

void Reporter::Records() const {
  if (evidence_.candidates.empty()) return;
  const double needed = std::log2(static_cast<double>(std::max<uint64_t>(data_.stats.rows, 2))) +
                        std::log2(static_cast<double>(windows_)) + 8;
  const std::set<uint32_t> mask = ColumnsOf();
  std::set<uint32_t> rows;
  const Candidate* best = nullptr;
  double best_bits = 0;
  const auto take = [&](const Candidate& c, double bits) {
    rows.insert(c.row);
    if (bits > best_bits) {
      best_bits = bits;
      best = &c;
    }
  };
  std::vector<std::pair<const Candidate*, double>> masked;
  double surplus = 0;
  for (const Candidate& c : evidence_.candidates) {
    const double bits = Evidence(c);
    if (bits > needed) take(c, bits);
    const double inside = EvidenceWithin(c, mask);
    if (inside > needed) {
      masked.emplace_back(&c, inside);
      surplus += inside - needed;
    }
  }
  const TableInfo& table = data_.tables[evidence_.candidates[0].table];
  if (masked.size() >= 3 && surplus > ChoiceBits(mask.size(), InformativeColumns(table))) {
    for (const auto& [c, bits] : masked) take(*c, bits);
  }
  if (best == nullptr) return;
  findings_.push_back({.cls = FindingClass::kRecords,
                       .strength = std::min(0.99, 0.9 + 0.01 * static_cast<double>(rows.size())),
                       .file = evidence_.file,
                       .place = "place " + std::to_string(best->place),
                       .message = std::to_string(rows.size()) + " records; " +
                                  Describe(*best, best_bits) + "; needed " +
                                  std::to_string(static_cast<int>(needed)),
                       .count = rows.size(),
                       .dataset = dataset_});
}

// Rows of little information: none is there beyond doubt, but many together are. Each distinct row
// counts what it has over the best of all rows by chance; and lines that hold nearly all cells of
// some row are a table of people, whoever they are.
void Reporter::Together() const {
  const double by_chance = std::log2(static_cast<double>(std::max<uint64_t>(data_.stats.rows, 2)));
  const std::set<uint32_t> columns = ColumnsOf();
  std::map<uint32_t, double> alone, within;
  const auto count = [&](std::map<uint32_t, double>& rows, uint32_t row, double surplus) {
    if (surplus >= 3) rows[row] = std::max(rows[row], surplus);
  };
  for (const Candidate& c : evidence_.candidates) {
    count(alone, c.row, Evidence(c) - by_chance);
    count(within, c.row, EvidenceWithin(c, columns) - by_chance);
  }
  const auto sum = [&](const std::map<uint32_t, double>& rows, double cost) {
    double total = -cost - ChoiceBits(rows.size(), std::max<size_t>(evidence_.lines, rows.size()));
    for (const auto& [row, surplus] : rows) total += surplus;
    return total;
  };
  const double alone_bits = sum(alone, 0);
  const double within_bits =
      evidence_.candidates.empty()
          ? 0
          : sum(within,
                ChoiceBits(columns.size(),
                           InformativeColumns(data_.tables[evidence_.candidates[0].table])));
  const auto& best = alone_bits >= within_bits ? alone : within;
  const double bits = std::max(alone_bits, within_bits);
  const bool together = best.size() >= 3 && bits > 24;
  const bool full = evidence_.full_lines >= 10 && evidence_.full_lines * 3 >= evidence_.lines;
  if (!together && !full) return;
  const size_t rows = std::max<size_t>(together ? best.size() : 0, full ? evidence_.full_lines : 0);
  findings_.push_back({.cls = FindingClass::kRecords,
                       .strength = std::min(0.95, 0.8 + 0.01 * static_cast<double>(rows)),
                       .file = evidence_.file,
                       .message = std::to_string(best.size()) + " rows that together have " +
                                  std::to_string(static_cast<int>(std::max(bits, 0.0))) +
                                  " bits more than chance; " +
                                  std::to_string(evidence_.full_lines) +
                                  " lines hold nearly all cells of a row",
                       .count = rows,
                       .dataset = dataset_});
}

void Reporter::Whole() const {
  if (evidence_.whole_lines == 0) return;
  const double needed = std::log2(static_cast<double>(std::max<uint64_t>(data_.stats.rows, 2))) +
                        std::log2(static_cast<double>(std::max<uint64_t>(evidence_.lines, 1))) + 8;
  const bool strong = static_cast<double>(evidence_.whole_bits) > needed;
  // Rows of little information repeat by chance: then it takes many.
  const bool many = evidence_.whole_lines >= 20 && evidence_.whole_lines * 2 >= evidence_.lines;
  if (!strong && !many) return;
  findings_.push_back({.cls = FindingClass::kRecords,
                       .strength = 0.95,
                       .file = evidence_.file,
                       .message = std::to_string(evidence_.whole_lines) + " whole rows, such as " +
                                  lookup_.RowName(evidence_.whole_row),
                       .count = evidence_.whole_lines,
                       .dataset = dataset_});
}

void Reporter::Values() const {
  const auto all = static_cast<double>(evidence_.precise.size());
  const auto own = static_cast<double>(evidence_.contained);
  if (evidence_.contained < 10 || own < 0.25 * all) return;
  const double share = own / all;
  const double chance = std::clamp(static_cast<double>(evidence_.near) / (4 * all), 0.01, 1.0);
  if (share < 1.5 * chance) return;
  double bits = share * std::log2(share / chance);
  if (share < 1) bits += (1 - share) * std::log2((1 - share) / (1 - std::min(chance, 0.999)));
  if (all * bits < 30) return;
  findings_.push_back({.cls = FindingClass::kValues,
                       .strength = 0.85,
                       .file = evidence_.file,
                       .message = std::to_string(evidence_.contained) + " of " +
                                  std::to_string(evidence_.precise.size()) +
                                  " precise numbers are values of the dataset; by chance " +
                                  std::to_string(static_cast<int>(chance * 100)) + " %",
                       .count = evidence_.contained,
                       .dataset = dataset_});
}

}  // namespace

size_t InformativeColumns(const TableInfo& table) {
  return static_cast<size_t>(
      std::count_if(table.entropy.begin(), table.entropy.end(), [](float e) { return e > 0.05f; }));
}

void ReportEvidence(LeakLookup& lookup, const FileEvidence& evidence, uint64_t windows, int dataset,
                    std::vector<Finding>& findings) {
  const Reporter reporter(lookup, evidence, windows, dataset, findings);
  reporter.Records();
  reporter.Together();
  reporter.Whole();
  reporter.Values();
}

}  // namespace cce::gate
