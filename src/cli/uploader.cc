#include "cli/uploader.h"

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "cli/progress.h"

namespace cce::cli {
namespace {

using dataset::Digest;

constexpr size_t kMaxKnownFiles = size_t{1} << 30;

bool WorthAnotherTry(const Error& error) {
  return error.code == "net.unreachable" || error.code == "net.timeout" ||
         error.code == "net.closed" || error.code == "net.tls" || error.code == "http.busy";
}

std::string DraftPath(const UploadState& state) { return "/v1/drafts/" + ToHex(state.draft); }

class Uploader {
 public:
  Uploader(const Client& client, const UploadState& state, const dataset::UploadPlan& plan,
           const UploadOptions& options, std::map<uint32_t, Digest> acknowledged)
      : client_(client),
        state_(state),
        plan_(plan),
        options_(options),
        acknowledged_(std::move(acknowledged)),
        progress_("upload", plan.counts().bytes, plan.counts().files, options.quiet) {}

  Result<> Run() {
    std::vector<std::thread> threads;
    const unsigned count = std::min<unsigned>(options_.threads, std::max(1U, plan_.part_count()));
    threads.reserve(count);
    for (unsigned i = 0; i < count; ++i) threads.emplace_back([this] { Work(); });
    for (std::thread& thread : threads) thread.join();
    progress_.Finish();
    if (error_) return Fail(std::move(*error_));
    return {};
  }

 private:
  void Work() {
    Result<std::unique_ptr<net::HttpClient>> http = client_.NewConnection();
    if (!http) return Stop(std::move(http).error());
    while (!stopped_) {
      const uint32_t part = next_++;
      if (part >= plan_.part_count()) return;
      if (Result<> done = DoPart(**http, part); !done) return Stop(std::move(done).error());
    }
  }

  void Stop(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
    stopped_ = true;
  }

  Result<> DoPart(net::HttpClient& http, uint32_t part) {
    const auto known = acknowledged_.find(part);
    if (known != acknowledged_.end()) return Compare(part, known->second);
    std::chrono::milliseconds pause = options_.first_pause;
    for (unsigned attempt = 1;; ++attempt) {
      Result<> sent = SendPart(http, part);
      if (sent || attempt >= options_.tries || !WorthAnotherTry(sent.error()) || stopped_) {
        return sent;
      }
      std::this_thread::sleep_for(pause);
      pause *= 2;
    }
  }

  // Reads an acknowledged part: its digest must still be the one that was acknowledged.
  Result<> Compare(uint32_t part, const Digest& digest) {
    ASSIGN_OR_RETURN(const auto reader, plan_.OpenPart(part, state_.draft));
    Bytes buffer(size_t{1} << 18);
    while (true) {
      ASSIGN_OR_RETURN(const size_t n, reader->Read(buffer));
      if (n == 0) break;
    }
    if (reader->digest() != digest) {
      return Fail(MakeError("upload.part_conflict",
                            "files changed since part " + std::to_string(part) + " was sent")
                      .Next("Begin anew with --restart."));
    }
    progress_.Add(static_cast<int64_t>(plan_.PartPayload(part)),
                  static_cast<int64_t>(plan_.PartFiles(part)), /*already=*/true);
    CountSame(part);
    return {};
  }

  Result<> SendPart(net::HttpClient& http, uint32_t part) {
    ASSIGN_OR_RETURN(const auto reader, plan_.OpenPart(part, state_.draft));
    // Progress counts content; heads and digests on the wire stay out.
    const auto payload = static_cast<int64_t>(plan_.PartPayload(part));
    int64_t counted = 0;
    net::ClientRequest request;
    request.method = "PUT";
    request.path = DraftPath(state_) + "/parts/" + std::to_string(part);
    request.headers["Authorization"] = "Bearer " + state_.token;
    request.headers["Content-Type"] = "application/octet-stream";
    request.body_size = reader->wire_size();
    request.body_source = [&](std::span<uint8_t> out) -> Result<size_t> {
      if (stopped_) return Fail("net.cancelled", "another part failed");
      ASSIGN_OR_RETURN(const size_t n, reader->Read(out));
      const int64_t more = std::min(static_cast<int64_t>(n), payload - counted);
      counted += more;
      progress_.Add(more, 0);
      return n;
    };
    const Result<Digest> acknowledged = Exchange(http, request);
    const bool same = acknowledged && *acknowledged == reader->digest();
    if (!same) {
      progress_.Add(-counted, 0);
      if (!acknowledged) return Fail(acknowledged.error());
      return Fail(MakeError("upload.part_conflict", "cced acknowledged another part than was sent")
                      .Expected(ToHex(reader->digest()))
                      .Found(ToHex(*acknowledged)));
    }
    progress_.Add(payload - counted, static_cast<int64_t>(plan_.PartFiles(part)));
    CountSame(part);
    return {};
  }

  // What is referred to counts as moved, not as sent.
  void CountSame(uint32_t part) {
    progress_.Add(static_cast<int64_t>(plan_.PartSame(part)), 0, /*already=*/true);
  }

  static Result<Digest> Exchange(net::HttpClient& http, const net::ClientRequest& request) {
    ASSIGN_OR_RETURN(const net::ClientResponse answer, http.SendOk(request));
    ASSIGN_OR_RETURN(const Document document,
                     ParseJsonDocument(AsText(answer.body), "part receipt"));
    Fields f(document);
    f.Uint("part", {.max = UINT32_MAX});
    const Digest digest = protocol::HexField<32>(f, "digest");
    TRY(f.Finish());
    return digest;
  }

  const Client& client_;
  const UploadState& state_;
  const dataset::UploadPlan& plan_;
  const UploadOptions& options_;
  const std::map<uint32_t, Digest> acknowledged_;
  Progress progress_;
  std::atomic<uint32_t> next_{0};
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::optional<Error> error_;
};

}  // namespace

Result<protocol::DraftStatus> AskStatus(Client& client, const UploadState& state) {
  const bool refers = state.base && *state.base != protocol::SnapshotId{};
  const std::string query = refers ? "?base=" + ToHex(*state.base) : "";
  ASSIGN_OR_RETURN(const std::string text, client.Get(DraftPath(state) + query, state.token));
  return protocol::ReadDraftStatus(text);
}

Result<dataset::KnownFiles> FetchKnownFiles(Client& client, const UploadState& state,
                                            const protocol::DraftBase& base) {
  Bytes list;
  TRY(client.Download(DraftPath(state) + "/known-files?base=" + ToHex(base.snapshot), state.token,
                      [&](ByteView bytes) -> Result<> {
                        if (list.size() + bytes.size() > kMaxKnownFiles) {
                          return Fail("input.too_large", "the list of known files is too long");
                        }
                        Append(list, bytes);
                        return {};
                      }));
  ASSIGN_OR_RETURN(dataset::KnownFiles known,
                   dataset::KnownFiles::Parse(list, SecretBytes::CopyOf(base.key)));
  if (known.base() != base.snapshot) {
    return Fail("net.bad_answer", "the list of known files is of another snapshot");
  }
  return known;
}

Result<UploadOutcome> UploadParts(Client& client, const UploadState& state,
                                  const protocol::DraftStatus& status,
                                  const dataset::UploadPlan& plan, const UploadOptions& options) {
  std::map<uint32_t, Digest> acknowledged;
  for (const protocol::DraftStatus::Part& part : status.parts) {
    if (part.part >= plan.part_count()) {
      return Fail(MakeError("upload.part_conflict", "the draft has more parts than the folder")
                      .Next("Begin anew with --restart."));
    }
    acknowledged.emplace(part.part, part.digest);
  }
  UploadOutcome outcome{plan.part_count(), static_cast<uint32_t>(acknowledged.size())};
  protocol::RoomRequest room;
  for (uint32_t part = 0; part < plan.part_count(); ++part) {
    if (acknowledged.contains(part)) continue;
    room.bytes += plan.PartPayload(part);
    room.records += plan.PartRecords(part);
    room.sealed += plan.PartSealed(part);
  }
  outcome.sent_bytes = room.bytes;
  if (room.records > 0) {
    TRY(client.Send("POST", DraftPath(state) + "/room", state.token, protocol::ToJsonObject(room)));
  }
  TRY(Uploader(client, state, plan, options, std::move(acknowledged)).Run());
  return outcome;
}

}  // namespace cce::cli
