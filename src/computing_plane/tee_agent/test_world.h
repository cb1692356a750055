// For tests: a cced that speaks the CVM's conversations over real TLS, behind a real relay, with
// evidence that is its own report data.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/testing.h"
#include "channel/launch_message.h"
#include "channel/tunnel_server.h"
#include "crypto/hpke.h"
#include "crypto/signed.h"
#include "dataset/ciphertext_store.h"
#include "net/http_server.h"
#include "protocol/credential.h"
#include "protocol/key_release.h"
#include "protocol/launch_document.h"
#include "protocol/result_submission.h"
#include "protocol/store_access.h"
#include "tsm/attester.h"

namespace cce::tee_agent {

// Evidence is the report data.
class EchoAttester : public tsm::Attester {
 public:
  Result<tsm::TsmEvidence> Attest(const ByteArray<64>& report_data) override {
    return tsm::TsmEvidence{.provider = "echo",
                            .quote = Bytes(report_data.begin(), report_data.end())};
  }
};

// Whether evidence, an echo or a real quote, holds the report data.
inline bool Binds(ByteView evidence, const protocol::ReportData& report_data) {
  return std::search(evidence.begin(), evidence.end(), report_data.begin(), report_data.end()) !=
         evidence.end();
}

struct FakeJob {
  FakeJob() {
    spec.wallet = {0x11};
    spec.chain_id = 31337;
    spec.datasets = {{.dataset = {0xda, 0x7a, 1}, .snapshot = {5}}};
    spec.image_repository = "test/probe";
    spec.image_digest = "sha256:" + std::string(64, 'a');
    spec.consumer_key = Must(crypto::P256PrivateKey::Generate()).public_key();
    spec.limits = {.memory_mib = 64, .cpu_millis = 1000, .pids = 32, .disk_mib = 16, .seconds = 20};
  }
  protocol::JobSpec spec;
  protocol::JobId id = {0xab, 0xcd};
  std::string access_mode = "prefetch";
};

class FakeCced {
 public:
  struct Faults {
    bool other_identity = false;  // the bundle is signed by another key
    bool other_spec = false;      // the bundle holds another job spec
    int lost_keys = 0;            // answers to keys that break off
    int stale_challenges = 0;     // key requests refused with challenge.expired
    bool refuse_keys = false;     // evidence.measurement
    int lost_results = 0;         // results taken whose answer breaks off
    bool flip_objects = false;    // a changed byte in each object but the index
  } faults;

  explicit FakeCced(FakeJob fake_job, dataset::CiphertextStore* store = nullptr)
      : job(std::move(fake_job)), store_(store) {
    spec_bytes_ = protocol::EncodeJobSpec(job.spec);
    rek_ = SecretBytes::CopyOf(Bytes(32, 9));
    net::ServerOptions options;
    options.tls_key = &tls_key;
    server = Must(net::HttpServer::Start(options, Routes()));
  }

  protocol::LaunchDocument Launch() const {
    return {.suite = std::string(crypto::kHpkeSuite),
            .credential = Credential(protocol::CredentialPurpose::kKeys),
            .identity_key = crypto::KeyId(identity.public_key()),
            .tls_key = Must(net::SpkiSha256(tls_key)),
            .names = {"cced", "objects", "registry"},
            .limits = job.spec.limits};
  }

  std::string Credential(protocol::CredentialPurpose purpose) const {
    protocol::JobCredential credential{.purpose = purpose,
                                       .issued_at = 1,
                                       .expires_at = 2,
                                       .wallet = job.spec.wallet,
                                       .job = job.id,
                                       .job_spec = protocol::JobSpecHash(spec_bytes_),
                                       .image_digest = job.spec.image_digest};
    for (const auto& d : job.spec.datasets) credential.inputs.push_back({d.dataset, d.snapshot});
    return Must(protocol::SignCredential(credential, identity));
  }

  Bytes OpenResult() const {
    const SecretBytes plain = Must(crypto::OpenStream(
        rek_.Expose(), protocol::OutputContext(job.id, 1, job.spec.datasets), sealed, 16 << 20));
    return ToBytes(plain.Expose());
  }

  FakeJob job;
  const crypto::P256PrivateKey identity = Must(crypto::P256PrivateKey::Generate());
  const crypto::P256PrivateKey other = Must(crypto::P256PrivateKey::Generate());
  const crypto::P256PrivateKey tls_key = Must(crypto::P256PrivateKey::Generate());
  std::unique_ptr<net::HttpServer> server;

  // What came in. Read once the agent is done.
  std::vector<std::string> keys_requests;
  int challenges = 0;
  int results = 0;
  std::optional<protocol::ResultHeader> header;
  Bytes sealed;
  std::optional<protocol::CvmEnd> end;
  std::vector<std::string> fetched;

 private:
  static net::Response BrokenOff() {
    net::Response response;
    response.stream_size = 10;
    response.stream = [](const net::Sink&) -> Result<> { return Fail("net.closed", "a fault"); };
    return response;
  }
  static net::Response Refusal(std::string_view code) {
    return net::Response::Problem(MakeError(code, "refused"));
  }

  net::Response Keys(net::Request& request) {
    const Bytes body = Must(request.body.ReadAll(1 << 20));
    keys_requests.emplace_back(AsText(body));
    const auto message = Must(protocol::ReadKeysRequest(AsText(body)));
    if (faults.stale_challenges-- > 0) return Refusal("challenge.expired");
    if (faults.refuse_keys) return Refusal("evidence.measurement");
    const protocol::ReportData report_data =
        protocol::KeysReportData(message.challenge, message.request_id, message.public_key,
                                 message.credential, message.suite);
    EXPECT_TRUE(Binds(message.evidence, report_data));
    protocol::KeyBundle bundle;
    bundle.job = job.id;
    bundle.job_spec = spec_bytes_;
    if (faults.other_spec) bundle.job_spec.push_back('\n');
    for (const auto& d : job.spec.datasets) {
      auto& out = bundle.datasets.emplace_back();
      out.dataset = d.dataset;
      out.snapshot = d.snapshot;
      out.access_mode = job.access_mode;
      out.keys.push_back({7, SecretBytes::CopyOf(Bytes(32, 1))});  // as dataset/dataset_fixture.h
    }
    bundle.rek = rek_.Clone();
    bundle.storage_token = "token-of-the-job";
    bundle.submit_credential = Credential(protocol::CredentialPurpose::kSubmit);
    const auto reply = Must(protocol::SealKeyBundle(bundle, message.public_key, report_data,
                                                    faults.other_identity ? other : identity));
    if (faults.lost_keys-- > 0) return BrokenOff();
    return net::Response::Json(protocol::ToJsonObject(reply));
  }

  net::Response Take(net::Request& request) {
    ++results;
    const Bytes body = Must(request.body.ReadAll(32 << 20));
    ByteReader reader(body);
    const ByteView head = Must(reader.Prefixed32(1 << 20));
    header = Must(protocol::ReadResultHeader(AsText(head)));
    sealed = ToBytes(Must(reader.Take(reader.Remaining())));
    EXPECT_TRUE(Equal(crypto::Sha256(sealed), header->output));
    EXPECT_TRUE(
        Binds(header->evidence, protocol::ResultReportData({.challenge = header->challenge,
                                                            .job = job.id,
                                                            .attempt = 1,
                                                            .credential = header->credential,
                                                            .public_key = header->public_key,
                                                            .output = header->output})));
    if (faults.lost_results-- > 0) return BrokenOff();
    return net::Response::Json(json::object{});
  }

  net::Response Store(net::Request& request) {
    EXPECT_EQ(request.headers["authorization"], "Bearer token-of-the-job");
    return net::Response::Json(protocol::ToJsonObject(protocol::StoreAccess{}));
  }

  net::Response Object(net::Request& request) {
    EXPECT_EQ(request.headers["authorization"], "Bearer token-of-the-job");
    const std::string& text = request.params.at("object");
    fetched.push_back(text);
    const auto name = Must(ArrayFromHex<32>(text));
    const auto object = store_->Open(name);
    if (!object) return net::Response::Problem(object.error());
    Bytes bytes((*object)->size());
    EXPECT_TRUE((*object)->ReadAt(0, bytes));
    if (faults.flip_objects && name != job.spec.datasets[0].snapshot) bytes[bytes.size() / 2] ^= 1;
    net::Response response;
    response.body = std::move(bytes);
    return response;
  }

  net::Router Routes() {
    net::Router router;
    const auto add = [&](const char* method, const char* path, auto handler) {
      router.Add(
          method, path,
          [this, handler](net::Request& request) {
            const std::lock_guard lock(mutex_);
            return (this->*handler)(request);
          },
          32 << 20);
    };
    add("POST", "/v1/cvm/challenge", &FakeCced::ChallengeFor);
    add("POST", "/v1/cvm/keys", &FakeCced::Keys);
    add("POST", "/v1/cvm/result", &FakeCced::Take);
    add("POST", "/v1/cvm/end", &FakeCced::End);
    add("GET", "/v1/store/{dataset}", &FakeCced::Store);
    add("GET", "/v1/store/{dataset}/{object}", &FakeCced::Object);
    return router;
  }
  net::Response ChallengeFor(net::Request& request) {
    ++challenges;
    const Bytes body = Must(request.body.ReadAll(1 << 16));
    EXPECT_TRUE(protocol::ReadChallengeRequest(AsText(body)));
    if (header) return Refusal("credential.spent");
    return net::Response::Json(
        protocol::ToJsonObject(protocol::ChallengeReply{crypto::RandomArray<32>(), 60}));
  }
  net::Response End(net::Request& request) {
    const Bytes body = Must(request.body.ReadAll(1 << 16));
    end = Must(protocol::ReadCvmEnd(AsText(body)));
    return net::Response::Json(json::object{});
  }

  dataset::CiphertextStore* store_;
  Bytes spec_bytes_;
  SecretBytes rek_;
  std::mutex mutex_;
};

// The relay's end of a control stream; `guest` is the other.
class FakeRelay {
 public:
  FakeRelay(const FakeCced& cced, uint16_t registry_port = 1) {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    guest = UniqueFd(pair[0]);
    host_ = UniqueFd(pair[1]);
    options_.targets["cced"] = {.host = "127.0.0.1", .port = cced.server->port()};
    options_.targets["objects"] = options_.targets["cced"];
    options_.targets["registry"] = {.host = "127.0.0.1", .port = registry_port};
    options_.allowed = {"cced", "objects", "registry"};
  }
  ~FakeRelay() {
    if (server_) server_->Stop();
    if (thread_.joinable()) thread_.join();
  }
  void Send(const protocol::LaunchDocument& launch) {
    EXPECT_TRUE(channel::SendLaunchDocument(host_.get(), protocol::EncodeLaunchDocument(launch)));
  }
  void Serve() {
    server_ = std::make_unique<channel::TunnelServer>(std::move(host_), options_);
    thread_ = std::thread([this] { (void)server_->Run(); });
  }

  UniqueFd guest;

 private:
  UniqueFd host_;
  channel::TunnelServerOptions options_;
  std::unique_ptr<channel::TunnelServer> server_;
  std::thread thread_;
};

}  // namespace cce::tee_agent
