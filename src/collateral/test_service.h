// Intel's and AMD's services in one real local HTTP server, over documents of the unit tests' own
// PKIs, with a place to go wrong. Test code only.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "attest/test_platform.h"
#include "attest/x509.h"
#include "collateral/addresses.h"
#include "crypto/hash.h"
#include "net/http_client.h"
#include "net/http_server.h"

namespace cce::collateral::testing {

using attest::testing::kDay;
using attest::testing::kNow;

class TestService {
 public:
  // Answers in place of the service; nothing: the service itself does.
  using Hook = std::function<std::optional<net::Response>(const std::string& path)>;

  TestService() {
    tdx.pck_crl.number = 5;
    tdx.root_crl.number = 5;
    Publish();
    Start();
  }
  ~TestService() {
    LetGo();
    if (server_) server_->Stop();
  }

  attest::testing::TdxPlatform tdx;
  attest::testing::SnpPlatform snp;

  // Builds both platforms anew and serves what they have now.
  void Publish() {
    tdx.Build();
    snp.Build();
    const std::lock_guard lock(mutex_);
    const attest::TdxCollateral& c = *tdx.collateral.tdx;
    const std::vector<Bytes> pck =
        *attest::ParsePemChain(AsText(attest::ParseTdxQuote(tdx.quote)->pck_chain_pem));
    const std::string signing = net::EncodeSegment(attest::ToPem(c.tcb_info_chain));
    answers_.clear();
    answers_["/tdx/certification/v4/tcb"] = Signed("tcbInfo", c.tcb_info, tcb_info_header, signing);
    answers_["/tdx/certification/v4/qe/identity"] =
        Signed("enclaveIdentity", c.qe_identity, "SGX-Enclave-Identity-Issuer-Chain", signing);
    net::Response crl = Binary(c.pck_crl);
    crl.headers["SGX-PCK-CRL-Issuer-Chain"] = net::EncodeSegment(attest::ToPem({pck[1], pck[2]}));
    answers_["/sgx/certification/v4/pckcrl"] = crl;
    answers_["/sgx/certification/v4/rootcacrl"] =
        net::Response::Text(ToHex(c.root_crl), "text/plain");
    const attest::SnpCollateral& s = *snp.collateral.snp;
    const std::string base = "/vcek/v1/" + snp.product;
    answers_[base + "/cert_chain"] =
        net::Response::Text(attest::ToPem({s.ask, s.ark}), "application/x-pem-file");
    answers_[base + "/crl"] = Binary(s.crl);
    answers_[base + "/" + ToHex(snp.hwid)] = Binary(s.vek);
  }

  Addresses addresses() const {
    Addresses out;
    out.pcs_url = "http://127.0.0.1:" + std::to_string(port_);
    out.kds_url = out.pcs_url;
    out.timeout = std::chrono::milliseconds(5000);
    return out;
  }
  // By key: each Publish issues the certificates anew.
  std::vector<attest::TrustedRoot> roots() const {
    return {ByKey("test", attest::Tee::kTdx, tdx.root_der),
            ByKey("test ARK", attest::Tee::kSnp, snp.ark_der)};
  }

  void SetHook(Hook hook) {
    const std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }
  // Changes what is served at `path`.
  void Edit(const std::string& path, const std::function<void(net::Response&)>& change) {
    const std::lock_guard lock(mutex_);
    change(answers_.at(path));
  }
  size_t asked() const {
    const std::lock_guard lock(mutex_);
    return asked_.size();
  }
  std::vector<std::string> Asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  void ForgetAsked() {
    const std::lock_guard lock(mutex_);
    asked_.clear();
  }
  // Nothing listens any more; and again at the same port.
  void Stop() {
    server_->Stop();
    server_.reset();
  }
  void Start() {
    net::ServerOptions options;
    options.port = port_;
    options.stop_grace = std::chrono::milliseconds(100);
    net::Router router;
    router.Add("GET", "/{rest*}", [this](net::Request& request) { return Answer(request); });
    auto server = net::HttpServer::Start(options, std::move(router));
    if (!server) std::abort();
    server_ = std::move(*server);
    port_ = server_->port();
  }

  // A body of which one byte comes at once and the next ones each `pause` later.
  net::Response Drip(size_t size, std::chrono::milliseconds pause) {
    net::Response out;
    out.stream_size = size;
    out.stream = [this, size, pause](const net::Sink& sink) -> Result<> {
      for (size_t i = 0; i < size; ++i) {
        TRY(sink(AsBytes("{")));
        std::unique_lock lock(mutex_);
        if (drip_.wait_for(lock, pause, [this] { return let_go_; })) break;
      }
      return Fail("net.closed", "the test has ended");
    };
    return out;
  }
  // Ends what drips.
  void LetGo() {
    {
      const std::lock_guard lock(mutex_);
      let_go_ = true;
    }
    drip_.notify_all();
  }

  std::string tcb_info_header = "TCB-Info-Issuer-Chain";

 private:
  static attest::TrustedRoot ByKey(const char* name, attest::Tee tee, const Bytes& der) {
    attest::TrustedRoot out = attest::RootFromDer(name, tee, der);
    out.sha256 = crypto::Sha256(attest::ParseCertificate(der)->spki);
    return out;
  }
  static net::Response Signed(const std::string& member, const attest::SignedDocument& document,
                              const std::string& header, const std::string& chain) {
    net::Response out =
        net::Response::Text("{\"" + member + "\":" + document.body + ",\"signature\":\"" +
                                ToHex(document.signature) + "\"}",
                            "application/json");
    out.headers[header] = chain;
    return out;
  }
  static net::Response Binary(const Bytes& body) {
    return net::Response::Text(AsText(body), "application/octet-stream");
  }
  net::Response Answer(const net::Request& request) {
    std::string line = request.path;
    char separator = '?';
    for (const auto& [name, value] : request.query) {
      line += separator + name + "=" + value;
      separator = '&';
    }
    Hook hook;
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(line);
      hook = hook_;
    }
    if (hook) {
      if (auto answer = hook(request.path)) return std::move(*answer);
    }
    const std::lock_guard lock(mutex_);
    const auto at = answers_.find(request.path);
    if (at == answers_.end()) return net::Response::Text("none", "text/plain", 404);
    return at->second;
  }

  mutable std::mutex mutex_;
  std::condition_variable drip_;
  bool let_go_ = false;
  std::map<std::string, net::Response> answers_;
  std::vector<std::string> asked_;
  Hook hook_;
  std::unique_ptr<net::HttpServer> server_;
  uint16_t port_ = 0;
};

}  // namespace cce::collateral::testing
