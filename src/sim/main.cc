// tsm-sim: a simulated TEE chip, for development. It is a piece of hardware under a root of its
// own; nothing that it signs is accepted under Intel's.
#include <cstdio>

#include "base/arguments.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "sim/chip.h"
#include "sim/measure.h"
#include "sim/seeds.h"
#include "sim/server.h"
#include "sim/snp_report.h"
#include "sim/tdx_quote.h"

namespace cce::sim {
namespace {

struct Arguments {
  std::string state;
  std::string out;
  std::string guest = "process";
  std::string tee = "tdx";
  std::string snp_product = "Milan";
  std::string defect;
  std::vector<std::string> roles;
  ServeOptions serve;
};

void Print(const std::string& line) { std::puts(line.c_str()); }

Result<SnpChip> OpenSnp(const Arguments& a) {
  return SnpChip::Open(SnpFolder(a.state, a.snp_product), a.snp_product, SystemClock());
}

// Makes what is missing and prints the root.
Result<> Init(const Arguments& a) {
  std::string root;
  if (a.tee == "snp") {
    ASSIGN_OR_RETURN(const SnpChip chip, OpenSnp(a));
    ASSIGN_OR_RETURN(root, chip.RootJson());
  } else {
    ASSIGN_OR_RETURN(const Chip chip, Chip::Open(a.state, SystemClock()));
    ASSIGN_OR_RETURN(root, chip.RootJson());
  }
  Print(root);
  return {};
}

Result<> WriteCollateral(const Arguments& a) {
  ASSIGN_OR_RETURN(const CollateralDefect* defect, FindCollateralDefect(a.defect));
  CollateralSpec spec = CollateralSpec::At(SystemClock().Now());
  if (defect->change != nullptr) defect->change(spec);
  json::object bundle;
  if (a.tee == "snp") {
    ASSIGN_OR_RETURN(const SnpChip chip, OpenSnp(a));
    ASSIGN_OR_RETURN(const Bytes crl, chip.NewCrl(spec));
    bundle = chip.Bundle(crl);
  } else {
    ASSIGN_OR_RETURN(const Chip chip, Chip::Open(a.state, SystemClock()));
    TdxDocuments documents = chip.documents();
    if (defect->change != nullptr) {
      ASSIGN_OR_RETURN(documents, chip.NewDocuments(spec));
    }
    bundle = chip.Bundle(documents);
  }
  if (a.out.empty() || a.out == "-") {
    Print(ToJson(bundle));
    return {};
  }
  return WriteFileAtomic(a.out, AsBytes(ToJson(bundle)));
}

Result<> PrintMeasurement(const Arguments& a) {
  ASSIGN_OR_RETURN(const std::vector<SealedFile> files, SealNamedFiles(a.roles));
  ASSIGN_OR_RETURN(const protocol::ChipMeasurement measurement, Measure(a.guest, files));
  Print(ToPrettyJson(protocol::ChipMeasurementToJson(measurement)));
  return {};
}

template <typename Row>
void PrintRows(const char* title, std::span<const Row> rows) {
  std::printf("%s:\n", title);
  for (const Row& row : rows) {
    if (row.name.empty()) continue;
    std::printf("  %-22.*s %.*s\n", static_cast<int>(row.name.size()), row.name.data(),
                static_cast<int>(row.meaning.size()), row.meaning.data());
  }
}

Result<> PrintDefects() {
  PrintRows("TDX evidence", AllDefects());
  PrintRows("SNP evidence", AllSnpDefects());
  PrintRows("collateral", AllCollateralDefects());
  return {};
}

void AddServe(args::Command& app, Arguments& a) {
  app.AddOption("--state", a.serve.state, "folder of the chip's keys")->Required();
  app.AddOption("--socket", a.serve.socket, "Unix socket for launchers");
  app.AddOption("--run", a.serve.run,
                "folder for the machines' fronts (default: beside the socket)");
  args::Option* const mount =
      app.AddOption("--mount", a.serve.mount, "where to mount a permanent front");
  args::Option* const file =
      app.AddOption("--file", a.serve.files, "role=PATH, measured for the permanent front");
  app.AddOption("--front", a.serve.front, "name of the permanent front")->Needs(mount);
  app.AddOption("--guest", a.serve.guest, "guest kind of the permanent front: " + GuestKinds());
  app.AddOption("--tee", a.serve.tee, "TEE of the permanent front")->OneOf({"tdx", "snp"});
  app.AddOption("--snp-product", a.serve.snp_product, "Milan, Genoa or Turin")->ShowDefault();
  app.AddOption("--defect", a.serve.defect, "give defective evidence (see tsm-sim defects)");
  args::Option* const port = app.AddOption(
      "--collateral-port", a.serve.collateral_port,
      "serve the collateral over HTTP at this port of the loopback interface; 0: any free one");
  app.AddOption("--collateral-defect", a.serve.collateral_defect, "serve defective collateral")
      ->Needs(port);
  mount->Needs(file);
  file->Needs(mount);
}

int Main(int argc, char** argv) {
  Arguments a;
  args::Program app("A simulated TEE chip, for development");
  app.RequireCommand();
  args::Command* const init = app.AddCommand("init", "make the chip's keys and certificates");
  args::Command* const root = app.AddCommand("root", "print the root certificate and its digests");
  args::Command* const collateral = app.AddCommand("collateral", "write the collateral bundle");
  for (args::Command* const command : {init, root, collateral}) {
    command->AddOption("--state", a.state, "folder of the chip's keys")->Required();
    command->AddOption("--tee", a.tee, "which half of the chip")
        ->OneOf({"tdx", "snp"})
        ->ShowDefault();
    command->AddOption("--snp-product", a.snp_product, "Milan, Genoa or Turin")->ShowDefault();
  }
  collateral->AddOption("--out", a.out, "file (default: standard output)");
  collateral->AddOption("--defect", a.defect, "a defect of collateral (see tsm-sim defects)");
  args::Command* const measure = app.AddCommand("measure", "print what the chip would measure");
  measure->AddOption("--guest", a.guest, "guest kind: " + GuestKinds())->ShowDefault();
  measure->AddOption("--role", a.roles, "role=FILE, in the machine's own order")->Required();
  args::Command* const defects = app.AddCommand("defects", "list the defects for negative tests");
  args::Command* const seeds = app.AddCommand("seeds", "write seeds for the fuzz targets");
  seeds->AddOption("--out", a.out, "folder: one folder a target")->Required();
  args::Command* const serve = app.AddCommand("serve", "be the chip");
  AddServe(*serve, a);
  if (const auto code = app.Parse(argc, argv)) return *code;

  StartLog("tsm-sim", LogLevel::kInfo);
  Result<> done;
  if (init->parsed() || root->parsed()) done = Init(a);
  if (collateral->parsed()) done = WriteCollateral(a);
  if (measure->parsed()) done = PrintMeasurement(a);
  if (defects->parsed()) done = PrintDefects();
  if (seeds->parsed()) done = WriteSeeds(a.out, SystemClock());
  if (serve->parsed()) done = Serve(a.serve);
  if (done) return 0;
  std::fputs((FormatError(done.error()) + "\n").c_str(), stderr);
  return 1;
}

}  // namespace
}  // namespace cce::sim

int main(int argc, char** argv) { return cce::sim::Main(argc, argv); }
