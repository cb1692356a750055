#include "chain/rpc_http.h"

#include <mutex>

#include "chain/rpc_answers.h"
#include "chain/uri.h"
#include "net/http_client.h"

namespace cce::chain {
namespace {

class HttpTransport : public RpcTransport {
 public:
  HttpTransport(net::ClientOptions options, std::string path, std::string name)
      : options_(std::move(options)), path_(std::move(path)), name_(std::move(name)) {}

  Result<std::string> Post(std::string_view request) override {
    ASSIGN_OR_RETURN(auto client, Borrow());
    net::ClientRequest post;
    post.method = "POST";
    post.path = path_;
    post.headers["content-type"] = "application/json";
    post.body = ToBytes(request);
    post.max_response = kMaxAnswer;
    const auto response = client->Send(post);
    if (!response) {
      return Fail(MakeError("chain.unreachable", name_ + ": " + response.error().message)
                      .Detail(response.error().code));
    }
    GiveBack(std::move(client));
    // Some nodes send error answers with status 400 or 500: the body tells, if it is JSON at all.
    if (response->status != 200 && (response->body.empty() || response->body[0] != '{')) {
      return Fail("chain.unreachable",
                  name_ + " answers with HTTP status " + std::to_string(response->status));
    }
    return std::string(AsText(response->body));
  }

  std::string name() const override { return name_; }

 private:
  Result<std::unique_ptr<net::HttpClient>> Borrow() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto client = std::move(idle_.back());
        idle_.pop_back();
        return client;
      }
    }
    return net::HttpClient::New(options_);
  }

  void GiveBack(std::unique_ptr<net::HttpClient> client) {
    constexpr size_t kMaxIdle = 8;
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::move(client));
  }

  const net::ClientOptions options_;
  const std::string path_;
  const std::string name_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<net::HttpClient>> idle_;
};

}  // namespace

Result<std::shared_ptr<RpcTransport>> NewHttpTransport(const std::string& url, int timeout_ms,
                                                       const std::string& ca_file) {
  const size_t mark = url.find("://");
  const std::string scheme = url.substr(0, mark);
  if (mark == std::string::npos || (scheme != "http" && scheme != "https") || !IsUri(url) ||
      url.find('#') != std::string::npos) {
    return Fail("config.invalid", "a chain endpoint is not an http or https URL");
  }
  const size_t end = std::min(url.find_first_of("/?", mark + 3), url.size());
  const std::string authority = url.substr(mark + 3, end - mark - 3);
  if (authority.empty() || authority.find('@') != std::string::npos) {
    return Fail("config.invalid", "a chain endpoint's URL has no host, or holds credentials");
  }
  std::string path = url.substr(end);
  if (!path.starts_with('/')) path.insert(0, 1, '/');
  net::ClientOptions options;
  options.base_url = url.substr(0, end);
  options.ca_file = ca_file;
  options.connect_timeout = std::chrono::milliseconds(timeout_ms);
  options.total_timeout = std::chrono::milliseconds(timeout_ms);
  return std::make_shared<HttpTransport>(std::move(options), std::move(path), authority);
}

}  // namespace cce::chain
