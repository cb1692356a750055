// The agent's conversation with cced: HTTPS inside the channel's name "cced", to exactly the TLS
// key that the launch document names.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "net/http_client.h"
#include "protocol/key_release.h"
#include "protocol/result_submission.h"

namespace cce::tee_agent {

struct RetryRule {
  int attempts = 8;
  std::chrono::milliseconds first_pause{250};  // doubles each time
  std::chrono::milliseconds longest_pause{4'000};
};

// Whether the same request may succeed a moment later: the way was broken, or the other side is
// busy.
bool IsTransient(const Error& error);

// Calls `attempt` until it succeeds, fails with an error that is not for `again`, or the rule is
// used up.
template <typename F>
auto Repeat(const RetryRule& rule, const F& attempt, bool (*again)(const Error&) = &IsTransient) {
  std::chrono::milliseconds pause = rule.first_pause;
  for (int i = 1;; ++i) {
    auto result = attempt();
    if (result || i >= rule.attempts || !again(result.error())) return result;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, rule.longest_pause);
  }
}

// An HTTPS client by way of a local Unix socket. `tls_key`: SHA-256 of the SPKI.
Result<std::unique_ptr<net::HttpClient>> PinnedClient(const std::string& socket_path,
                                                      const protocol::Digest32& tls_key);

// Not thread-safe. Errors: net.*, input.* (an answer of another form), and cced's own code where it
// refused.
class CcedClient {
 public:
  static Result<std::unique_ptr<CcedClient>> New(const std::string& socket_path,
                                                 const protocol::Digest32& tls_key,
                                                 const RetryRule& rule);

  // These two repeat themselves after transient failures: the request is the same each time.
  Result<protocol::ChallengeReply> Challenge(const std::string& credential);
  Result<protocol::KeysReply> Keys(const protocol::KeysRequest& request);
  Result<> End(const protocol::CvmEnd& end);
  // Once: a repeat needs a new challenge.
  Result<> Send(const net::ClientRequest& request);

  // The last failure was cced's answer: it knows of it, and keeps the reason.
  bool refused() const { return refused_; }
  const RetryRule& rule() const { return rule_; }

 private:
  CcedClient(std::unique_ptr<net::HttpClient> http, const RetryRule& rule)
      : http_(std::move(http)), rule_(rule) {}
  Result<std::string> Post(const std::string& path, const json::object& message);
  Result<net::ClientResponse> Expect(const net::ClientRequest& request);

  std::unique_ptr<net::HttpClient> http_;
  const RetryRule rule_;
  bool refused_ = false;
};

}  // namespace cce::tee_agent
