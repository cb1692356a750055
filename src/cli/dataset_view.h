// A dataset as its owner sees it, and what changed between snapshots, as text for people.
#pragma once

#include <string>

#include "base/json.h"

namespace cce::cli {

// cced's OwnerDataset (docs/openapi.yaml).
std::string OwnerDatasetText(const json::object& dataset);
// One of its snapshots' verification: several lines; damage with its paths.
std::string VerificationText(const json::object& verification, uint64_t objects);
// "to epoch 2: 1.0 GiB sealed anew, 2.0 GiB left".
std::string RotationText(const json::object& rotation);
// A line of a list of datasets.
std::string DatasetLine(const json::object& summary);
// "+ path  12 B", "- path", "~ path  12 B -> 13 B", "  path  mode 644 -> 600".
std::string ChangeLine(const json::object& change);

}  // namespace cce::cli
