#include <algorithm>
#include <charconv>
#include <set>

#include "dataset/sealed_object.h"
#include "privacy_plane/api/routes.h"
#include "privacy_plane/volumes/volumes.h"

namespace cce::privacy_plane {
namespace {

constexpr uint64_t kMaxPart = uint64_t{256} << 20;

Result<json::object> SetPolicy(Datasets& datasets, net::Request& request) {
  ASSIGN_OR_RETURN(const DatasetId dataset, protocol::AddressFromHex(request.params.at("dataset")));
  ASSIGN_OR_RETURN(const std::string text, Text(request, size_t{2} << 20));
  ASSIGN_OR_RETURN(const protocol::SetPolicyRequest message, protocol::ReadSetPolicyRequest(text));
  ASSIGN_OR_RETURN(const protocol::DatasetInfo info, datasets.SetPolicy(dataset, message));
  return protocol::ToJsonObject(info);
}

Result<json::object> ShowDataset(const Datasets& datasets, const net::Request& request) {
  ASSIGN_OR_RETURN(const DatasetId dataset, protocol::AddressFromHex(request.params.at("dataset")));
  ASSIGN_OR_RETURN(const protocol::DatasetInfo info, datasets.Info(dataset));
  return protocol::ToJsonObject(info);
}

// The upload token, if it is the one of the draft in the path.
Result<TokenRecord> DraftToken(const SignIn& sign_in, const net::Request& request) {
  ASSIGN_OR_RETURN(const TokenRecord token,
                   sign_in.Authorize(request.headers, TokenRecord::Purpose::kUpload));
  if (ToHex(token.draft) != request.params.at("draft")) {
    return Fail("signin.token", "the token is another draft's");
  }
  return token;
}

Result<json::object> AcceptPart(Modules& modules, net::Request& request) {
  ASSIGN_OR_RETURN(const TokenRecord token, DraftToken(modules.sign_in, request));
  const std::string& text = request.params.at("part");
  uint32_t part = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Fail("input.malformed", "a part's number is no number");
  }
  ASSIGN_OR_RETURN(const dataset::PartReceipt receipt,
                   modules.datasets.AcceptPart(
                       token, part, [&request](size_t max) { return request.body.Next(max); }));
  return json::object{{"part", receipt.part}, {"digest", ToHex(receipt.digest)}};
}

Result<json::object> DraftStatus(Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const TokenRecord token, DraftToken(modules.sign_in, request));
  std::optional<SnapshotId> base;
  if (const auto named = request.query.find("base"); named != request.query.end()) {
    ASSIGN_OR_RETURN(base, ArrayFromHex<32>(named->second));
  }
  ASSIGN_OR_RETURN(const protocol::DraftStatus status, modules.datasets.Status(token, base));
  return protocol::ToJsonObject(status);
}

Result<net::Response> KnownFiles(Modules& modules, const net::Request& request) {
  ASSIGN_OR_RETURN(const TokenRecord token, DraftToken(modules.sign_in, request));
  const auto named = request.query.find("base");
  if (named == request.query.end()) return Fail("input.malformed", "no base is named");
  ASSIGN_OR_RETURN(const SnapshotId base, ArrayFromHex<32>(named->second));
  net::Response response;
  response.headers["content-type"] = "application/octet-stream";
  // Opened first: a refusal is an answer, not a broken stream.
  ASSIGN_OR_RETURN(response.stream, modules.datasets.KnownFiles(token, base));
  return response;
}

Result<json::object> CheckRoom(Modules& modules, net::Request& request) {
  ASSIGN_OR_RETURN(const TokenRecord token, DraftToken(modules.sign_in, request));
  ASSIGN_OR_RETURN(const std::string text, Text(request));
  ASSIGN_OR_RETURN(const protocol::RoomRequest room, protocol::ReadRoomRequest(text));
  TRY(modules.datasets.CheckRoom(token, room));
  return json::object{};
}

Result<json::object> Finalize(Modules& modules, net::Request& request) {
  ASSIGN_OR_RETURN(const TokenRecord token, DraftToken(modules.sign_in, request));
  ASSIGN_OR_RETURN(const std::string text, Text(request));
  ASSIGN_OR_RETURN(const protocol::FinalizeMessage message, protocol::ReadFinalizeMessage(text));
  ASSIGN_OR_RETURN(const protocol::FinalizeReply reply, modules.datasets.Finalize(token, message));
  return protocol::ToJsonObject(reply);
}

// The job whose storage token this is, while it runs; `visit` sees each snapshot of the dataset
// that it reads. signin.token else.
Result<JobId> AuthorizeReader(const Core& core, const net::Request& request,
                              const DatasetId& dataset,
                              const std::function<void(const SnapshotRecord&)>& visit) {
  ASSIGN_OR_RETURN(const std::string token, BearerToken(request.headers));
  ASSIGN_OR_RETURN(const JobId id, ArrayFromHex<16>(std::string_view(token).substr(0, 32)));
  TRY(core.state->Read([&](const Tables& tables) -> Result<> {
    const auto job = tables.jobs.find(id);
    const bool good = job != tables.jobs.end() &&
                      job->second.state == protocol::JobState::kRunning &&
                      ConstantTimeEqual(AsBytes(core.keys->StorageToken(id, job->second.attempt)),
                                        AsBytes(token));
    if (!good) return Fail("signin.token", "the storage token opens nothing");
    for (const protocol::JobDataset& input : job->second.spec.datasets) {
      if (input.dataset == dataset) {
        visit(tables.datasets.at(dataset).snapshots.at(input.snapshot));
      }
    }
    return {};
  }));
  return id;
}

// How a CVM gets at the ciphertext. With a distributed store: by a key made for this job.
Result<json::object> StoreAccess(Core& core, const net::Request& request) {
  ASSIGN_OR_RETURN(const DatasetId dataset, protocol::AddressFromHex(request.params.at("dataset")));
  std::set<dataset::ObjectName> objects;
  ASSIGN_OR_RETURN(const JobId job, AuthorizeReader(core, request, dataset,
                                                    [&objects](const SnapshotRecord& snapshot) {
                                                      objects.insert(snapshot.id);
                                                      for (const auto& object : snapshot.objects) {
                                                        objects.insert(object.name);
                                                      }
                                                    }));
  if (objects.empty()) return Fail("signin.token", "the dataset is none of this job's");
  if (core.volumes == nullptr || !core.volumes->HasReaders()) {
    return protocol::ToJsonObject(protocol::StoreAccess{});
  }
  ASSIGN_OR_RETURN(const protocol::StoreAccess access, core.volumes->Grant(job, dataset, objects));
  return protocol::ToJsonObject(access);
}

// Ciphertext for a CVM: its storage token opens exactly the objects of its job's snapshots, while
// the job runs.
Result<net::Response> StoredObject(Core& core, const net::Request& request) {
  ASSIGN_OR_RETURN(const DatasetId dataset, protocol::AddressFromHex(request.params.at("dataset")));
  ASSIGN_OR_RETURN(const auto name, ArrayFromHex<32>(request.params.at("object")));
  bool readable = false;
  TRY(AuthorizeReader(core, request, dataset, [&](const SnapshotRecord& snapshot) {
    readable = readable || snapshot.id == name ||
               std::ranges::find(snapshot.objects, name, &dataset::StoredObject::name) !=
                   snapshot.objects.end();
  }));
  if (!readable) return Fail("signin.token", "the object is none of this job's");
  ASSIGN_OR_RETURN(const auto store, core.open_store(dataset));
  ASSIGN_OR_RETURN(auto opened, store->Open(name));
  const std::shared_ptr<dataset::ObjectReader> reader = std::move(opened);
  net::Response response;
  response.headers["content-type"] = "application/octet-stream";
  response.stream_size = reader->size();
  response.stream = [reader](const net::Sink& sink) {
    return dataset::ForEachSlice(*reader, sink);
  };
  return response;
}

}  // namespace

void AddDatasetRoutes(net::Router& router, Modules& modules) {
  router.Add(
      "PUT", "/v1/datasets/{dataset}/policy",
      [&modules](net::Request& request) { return Answer(SetPolicy(modules.datasets, request)); },
      uint64_t{2} << 20);
  router.Add("GET", "/v1/datasets/{dataset}", [&modules](net::Request& request) {
    return Answer(ShowDataset(modules.datasets, request));
  });
  router.Add(
      "PUT", "/v1/drafts/{draft}/parts/{part}",
      [&modules](net::Request& request) { return Answer(AcceptPart(modules, request)); }, kMaxPart);
  router.Add("GET", "/v1/drafts/{draft}",
             [&modules](net::Request& request) { return Answer(DraftStatus(modules, request)); });
  router.Add("GET", "/v1/drafts/{draft}/known-files", [&modules](net::Request& request) {
    Result<net::Response> response = KnownFiles(modules, request);
    return response ? std::move(*response) : net::Response::Problem(response.error());
  });
  router.Add("POST", "/v1/drafts/{draft}/room",
             [&modules](net::Request& request) { return Answer(CheckRoom(modules, request)); });
  router.Add("POST", "/v1/drafts/{draft}/finalize",
             [&modules](net::Request& request) { return Answer(Finalize(modules, request)); });
  router.Add("GET", "/v1/store/{dataset}", [&modules](net::Request& request) {
    return Answer(StoreAccess(modules.core, request));
  });
  router.Add("GET", "/v1/store/{dataset}/{object}", [&modules](net::Request& request) {
    Result<net::Response> response = StoredObject(modules.core, request);
    return response ? std::move(*response) : net::Response::Problem(response.error());
  });
}

}  // namespace cce::privacy_plane
