// The running chip: its socket, one thread and one front for each machine, and the permanent front
// of a host process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace cce::sim {

struct ServeOptions {
  std::string state;   // folder of the chip's own state
  std::string socket;  // empty: none
  std::string run;     // folder for the machines' fronts; empty: "fronts" beside the socket
  // The permanent front, for a program of this machine: measured over `files` at start.
  std::string front;               // its name, for the log; empty: none
  std::string mount;               // where
  std::vector<std::string> files;  // role=PATH
  std::string guest = "host-process";
  std::string tee = "tdx";  // of the permanent front: "tdx", "snp"
  std::string
      defect;  // for the permanent front and for every machine that asks for none of its own
  std::string snp_product = "Milan";
  // The collateral service: a port of the loopback interface, 0 for any free one; empty: none.
  std::optional<uint16_t> collateral_port;
  std::string collateral_defect;
};

// Runs until SIGINT or SIGTERM, then unmounts all fronts. Writes one line of JSON to standard
// output when everything is ready: {"ready": true, "socket", "front": {"name", "mount",
// "measurement"}, "collateral": "http://127.0.0.1:PORT"}.
Result<> Serve(const ServeOptions& options);

}  // namespace cce::sim
