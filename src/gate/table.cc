#include "gate/table.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/json.h"
#include "gate/text.h"

namespace cce::gate {
namespace {

void Flatten(const std::string& prefix, const json::object& object,
             std::vector<std::pair<std::string, std::string>>& members) {
  for (const auto& [key, value] : object) {
    const std::string name = prefix + std::string(key);
    if (value.is_object()) {
      Flatten(name + ".", value.get_object(), members);
    } else if (value.is_string()) {
      members.emplace_back(name, std::string(value.get_string()));
    } else if (value.is_number() || value.is_bool()) {
      members.emplace_back(name, ToJson(value));
    }
  }
}

// Each cell's bin by rank, ties together: numbers by value, words by order.
std::vector<uint8_t> Bins(const std::vector<std::vector<std::string>>& sample, size_t column,
                          size_t bins) {
  struct Item {
    double value = 0;
    std::string word;
    size_t row = 0;
  };
  std::vector<Item> items;
  Canon canon;
  for (size_t r = 0; r < sample.size(); ++r) {
    Item item{.row = r};
    if (column < sample[r].size() && Canonicalise(TrimToken(sample[r][column]), canon)) {
      item.value = canon.number ? ValueOf(canon) : HUGE_VAL;
      item.word = canon.word;
    } else {
      item.value = -HUGE_VAL;
    }
    items.push_back(std::move(item));
  }
  const auto less = [](const Item& a, const Item& b) {
    return std::tie(a.value, a.word) < std::tie(b.value, b.word);
  };
  std::sort(items.begin(), items.end(), less);
  std::vector<uint8_t> out(sample.size());
  uint8_t bin = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i == 0 || less(items[i - 1], items[i])) bin = static_cast<uint8_t>(i * bins / items.size());
    out[items[i].row] = bin;
  }
  return out;
}

// Entropy in bits of counts that add up to n, with Miller and Madow's correction.
double Entropy(const std::vector<uint32_t>& counts, size_t n) {
  double bits = 0;
  size_t used = 0;
  for (const uint32_t c : counts) {
    if (c == 0) continue;
    ++used;
    const double p = static_cast<double>(c) / static_cast<double>(n);
    bits -= p * std::log2(p);
  }
  return bits + static_cast<double>(used - 1) / (2 * static_cast<double>(n) * std::log(2.0));
}

void EstimateRowBits(TableInfo& table) {
  std::vector<uint32_t> order(table.columns.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return table.entropy[a] > table.entropy[b]; });
  double bits = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    double left = 1;
    for (size_t j = 0; j < i; ++j) left = std::min(left, table.Left(order[i], order[j]));
    bits += left * static_cast<double>(table.entropy[order[i]]);
  }
  table.row_bits = static_cast<float>(bits);
}

}  // namespace

Result<json::value> ParseLooseJson(std::string_view text) {
  const JsonLimits limits{.max_bytes = size_t{16} << 20, .max_depth = 64};
  auto value = ParseJson(text, limits);
  if (value || text.size() > limits.max_bytes) return value;
  std::string strict;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (text[i] == '\\' && quoted && i + 1 < text.size()) strict += text[i++];
    const std::string_view rest = text.substr(i);
    if (!quoted && (rest.starts_with("NaN") || rest.starts_with("Infinity"))) {
      strict += "null";
      i += rest.starts_with("NaN") ? 2 : 7;
    } else if (!quoted && rest.starts_with("-Infinity")) {
      strict += "null";
      i += 8;
    } else {
      strict += text[i];
    }
  }
  return ParseJson(strict, limits);
}

bool FlatJson(std::string_view line, std::vector<std::pair<std::string, std::string>>& members) {
  const auto value = ParseLooseJson(line);
  if (!value || !value->is_object()) return false;
  Flatten("", value->get_object(), members);
  return true;
}

void EstimateDependence(const std::vector<std::vector<std::string>>& sample, TableInfo& table) {
  const size_t n = std::min(table.columns.size(), kMaxFactorColumns);
  table.factor.assign(n * n, 255);
  if (sample.size() >= 20) {
    const size_t bins = std::clamp<size_t>(
        static_cast<size_t>(std::sqrt(static_cast<double>(sample.size())) / 3), 2, 16);
    std::vector<std::vector<uint8_t>> columns;
    std::vector<double> entropy;
    for (size_t c = 0; c < n; ++c) {
      columns.push_back(Bins(sample, c, bins));
      std::vector<uint32_t> counts(bins, 0);
      for (const uint8_t b : columns.back()) ++counts[b];
      entropy.push_back(Entropy(counts, sample.size()));
    }
    for (size_t a = 0; a < n; ++a) {
      for (size_t b = 0; b < n; ++b) {
        std::vector<uint32_t> counts(bins * bins, 0);
        for (size_t r = 0; r < sample.size(); ++r) ++counts[columns[a][r] * bins + columns[b][r]];
        const double left =
            (Entropy(counts, sample.size()) - entropy[b]) / std::max(entropy[a], 1e-9);
        if (a != b && entropy[a] > 1e-6) {
          table.factor[a * n + b] = static_cast<uint8_t>(std::clamp(left, 0.0, 1.0) * 255);
        }
      }
    }
  }
  EstimateRowBits(table);
}

}  // namespace cce::gate
