#include "privacy_plane/daemon.h"

#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "crypto/signed.h"
#include "privacy_plane/anchoring.h"
#include "privacy_plane/api/routes.h"
#include "privacy_plane/chain_freshness.h"
#include "privacy_plane/volumes/volumes.h"
#include "store/directory_store.h"

namespace cce::privacy_plane {
namespace {

std::string LogOrigin(const KeyManager& keys) {
  return "cce4long.org/log/" + ToHex(crypto::KeyId(keys.identity_key().public_key())).substr(0, 32);
}

// What the identity document must name, so that clients can refuse it.
std::vector<std::string> DevelopmentParts(const Config& config, const RootKeySource& root,
                                          const TeeVerifier& verifier) {
  std::vector<std::string> parts;
  if (root.IsDevelopment()) parts.push_back("root key: " + root.Name());
  if (config.chain_endpoints.size() < 2) parts.push_back("chain: a single endpoint");
  if (config.anchor_contract.empty()) parts.push_back("journal: no freshness source");
  if (config.provider == "process") parts.push_back("machines: processes on this host");
  if (verifier.AcceptsDevelopmentRoots()) parts.push_back("TEE: simulated roots are accepted");
  return parts;
}

Result<protocol::IdentityDocument> MakeIdentity(const Core& core, const RootKeySource& root) {
  protocol::IdentityDocument identity;
  identity.identity_key = core.keys->identity_key().public_key();
  identity.review_key = core.keys->review_key().public_key();
  identity.log_key = core.keys->log_public_key();
  identity.log_origin = LogOrigin(*core.keys);
  ASSIGN_OR_RETURN(identity.tls_key, net::SpkiSha256(core.keys->tls_key()));
  identity.root_key_source = root.Name();
  identity.roots = core.verifier->OperatorRoots();
  identity.chain_id = core.config.chain_id;
  identity.chain_endpoints = core.config.chain_endpoints;
  identity.finality = core.config.finality;
  identity.configuration = core.config.digest;
  identity.development = DevelopmentParts(core.config, root, *core.verifier);
  return identity;
}

Result<StoreOpener> MakeStoreOpener(const std::string& folder) {
  TRY(MakeFolders(folder, 0700));
  return StoreOpener(
      [folder](const DatasetId& dataset) -> Result<std::shared_ptr<dataset::CiphertextStore>> {
        ASSIGN_OR_RETURN(auto opened, store::DirectoryStore::Open(folder + "/" + ToHex(dataset),
                                                                  {.create = true}));
        return std::shared_ptr<dataset::CiphertextStore>(std::move(opened));
      });
}

// Files of writers that an earlier run's end cut off. A store that cannot be reached now is no
// reason not to start: the next start finds them.
void SweepStores(const std::string& folder) {
  std::error_code error;
  std::filesystem::directory_iterator at(folder, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    if (!ArrayFromHex<20>(at->path().filename().string())) continue;
    const auto swept =
        store::DirectoryStore::Open(at->path().string()).and_then([](const auto& opened) {
          return opened->RemoveLeftovers();
        });
    if (!swept) LogError(LogLevel::kWarn, "store.not_swept", swept.error());
  }
}

Result<std::unique_ptr<Volumes>> MakeVolumes(const Config& config) {
  if (config.store_kind != "juicefs") return nullptr;
  return Volumes::New(config.juicefs, config.store_folder, config.state_folder + "/volumes.json");
}

// Jobs that read volumes with keys of their own.
std::vector<Volumes::Running> RunningJobs(const Core& core) {
  return core.state->Read([](const Tables& tables) {
    std::vector<Volumes::Running> out;
    for (const auto& [id, job] : tables.jobs) {
      if (job.state != protocol::JobState::kRunning || job.result) continue;
      Volumes::Running& running = out.emplace_back();
      running.job = id;
      for (const protocol::JobDataset& used : job.spec.datasets) {
        running.datasets.push_back(used.dataset);
      }
    }
    return out;
  });
}

Result<> OpenChain(Core& core) {
  ASSIGN_OR_RETURN(const chain::Finality finality, chain::Finality::Parse(core.config.finality));
  chain::ChainOptions options;
  options.chain_id = core.config.chain_id;
  options.endpoints = core.config.chain_endpoints;
  options.finality = finality;
  ASSIGN_OR_RETURN(core.chain, chain::ChainClient::New(options));
  core.rental = std::make_unique<chain::ChainRental>(core.chain);
  return {};
}

Result<std::unique_ptr<ChainFreshness>> MakeFreshness(const Core& core) {
  if (core.config.anchor_contract.empty()) return nullptr;
  ASSIGN_OR_RETURN(const auto contract, protocol::AddressFromHex(core.config.anchor_contract));
  ASSIGN_OR_RETURN(const auto writer, crypto::EthAddressOf(core.keys->chain_key()));
  return std::make_unique<ChainFreshness>(core.chain, contract, core.keys->chain_key(), writer);
}

// What the journal says is destroyed is destroyed, also where an earlier run was ended before it
// could, or a copy of the state brought it back.
Result<> FinishDestruction(const Core& core) {
  return core.state->Read([&](const Tables& tables) -> Result<> {
    for (const auto& [id, dataset] : tables.datasets) {
      for (const auto& [number, epoch] : dataset.epochs) {
        if (epoch.destroyed != 0) TRY(core.epoch_secrets->Destroy(epoch.commitment));
      }
    }
    return {};
  });
}

Result<> OpenState(Core& core, tlog::FreshnessSource* freshness) {
  TRY(MakeFolders(core.config.state_folder, 0700));
  TRY(MakeFolders(core.config.state_folder + "/results", 0700));
  tlog::JournalOptions options;
  ASSIGN_OR_RETURN(options.store,
                   tlog::OpenSqliteJournalStore(core.config.state_folder + "/journal.db"));
  TRY(RemoveUnfinished(core.config.state_folder));  // the journal is open: no other cced runs on it
  options.base_key = core.keys->JournalKey();
  options.log_seed = core.keys->LogKeySeed();
  options.origin = LogOrigin(*core.keys);
  options.clock = core.clock;
  options.freshness = freshness;
  ASSIGN_OR_RETURN(core.state, State::Open(std::move(options)));
  ASSIGN_OR_RETURN(core.epoch_secrets, EpochSecrets::Open(core.config.state_folder + "/epochs",
                                                          core.keys->EpochSealKey()));
  return FinishDestruction(core);
}

Result<> Serve(Core& core, const std::function<void()>& wait) {
  ASSIGN_OR_RETURN(const auto launcher_key, ArrayFromHex<32>(core.config.launcher_key));
  const LauncherClient launcher(core.config.launcher_url, core.keys->tls_key(), launcher_key);
  SignIn sign_in(core);
  LeakIndexes* told = nullptr;
  Datasets datasets(core, [&told](const DatasetId& dataset, const SnapshotId& snapshot) {
    told->Queue(dataset, snapshot);
  });
  LeakIndexes indexes(core, datasets);
  told = &indexes;
  ComputeController controller(core, sign_in, launcher);
  KeyRelease key_release(core, datasets, controller);
  OutputGate output_gate(core, key_release, controller, indexes);
  SnapshotDiffs diffs(datasets);
  Maintenance maintenance(core, datasets, indexes);
  Orders orders(core, controller, maintenance);
  Modules modules{core,        sign_in, datasets,    controller, key_release,
                  output_gate, diffs,   maintenance, orders};

  net::ServerOptions api;
  api.address = core.config.listen_address;
  api.port = core.config.listen_port;
  api.tls_key = &core.keys->tls_key();
  api.tls_subject = "cced";
  api.worker_threads = 32;
  ASSIGN_OR_RETURN(const auto server, net::HttpServer::Start(api, MakeApi(modules)));
  net::ServerOptions monitor;
  monitor.address = core.config.monitor_address;
  monitor.port = core.config.monitor_port;
  monitor.worker_threads = 1;
  ASSIGN_OR_RETURN(const auto monitor_server, net::HttpServer::Start(monitor, MakeMonitor(core)));
  Log(LogLevel::kInfo, "daemon.serving",
      {{"port", std::to_string(server->port())},
       {"monitor_port", std::to_string(monitor_server->port())},
       {"identity", ToHex(core.identity_hash)}});
  wait();
  monitor_server->Stop();
  server->Stop();
  return {};
}

}  // namespace

Result<json::object> PublicKeys(const Config& config) {
  const std::unique_ptr<RootKeySource> root = NewFileRootKey(config.root_key_path);
  ASSIGN_OR_RETURN(const auto keys, KeyManager::New(*root));
  ASSIGN_OR_RETURN(const auto tls, net::SpkiSha256(keys->tls_key()));
  ASSIGN_OR_RETURN(const auto address, crypto::EthAddressOf(keys->chain_key()));
  return json::object{{"identity_key", ToHex(keys->identity_key().public_key())},
                      {"tls_key", ToHex(tls)},
                      {"chain_address", protocol::AddressText(address)}};
}

Result<> RunDaemon(Config config, const std::function<void()>& wait) {
  Core core;
  core.config = std::move(config);
  core.clock = &SystemClock();
  const std::unique_ptr<RootKeySource> root = NewFileRootKey(core.config.root_key_path);
  ASSIGN_OR_RETURN(core.keys, KeyManager::New(*root));
  ASSIGN_OR_RETURN(core.verifier, TeeVerifier::New(tsm::NewConfigfsAttester(core.config.tsm_path),
                                                   core.config.collateral,
                                                   core.config.attestation_policy, *core.clock));
  TRY(OpenChain(core));
  ASSIGN_OR_RETURN(const std::unique_ptr<ChainFreshness> freshness, MakeFreshness(core));
  TRY(OpenState(core, freshness.get()));
  ASSIGN_OR_RETURN(const std::unique_ptr<Volumes> volumes, MakeVolumes(core.config));
  if (volumes) {
    core.volumes = volumes.get();
    core.open_store = [&volumes](const DatasetId& dataset) { return volumes->Open(dataset); };
    volumes->Adopt(RunningJobs(core));
  } else {
    ASSIGN_OR_RETURN(core.open_store, MakeStoreOpener(core.config.store_folder));
    SweepStores(core.config.store_folder);
  }
  ASSIGN_OR_RETURN(core.identity, MakeIdentity(core, *root));
  core.identity_bytes = protocol::EncodeIdentity(core.identity);
  core.identity_hash = protocol::IdentityHash(core.identity_bytes);
  for (const std::string& part : core.identity.development) {
    Log(LogLevel::kWarn, "daemon.development_part", {{"part", part}});
  }
  core.verifier->Start();
  TRY(core.state->Record(DaemonStarted(core.identity_hash, core.config.digest)));
  std::unique_ptr<Anchoring> anchoring;
  if (freshness != nullptr) anchoring = std::make_unique<Anchoring>(core, *freshness);
  return Serve(core, wait);
}

}  // namespace cce::privacy_plane
