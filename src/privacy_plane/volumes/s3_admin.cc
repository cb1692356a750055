#include "privacy_plane/volumes/s3_admin.h"

#include "base/json.h"
#include "crypto/hash.h"
#include "net/http_client.h"

namespace cce::privacy_plane {
namespace {

constexpr std::chrono::milliseconds kCallTime{15'000};
constexpr std::string_view kArn = "arn:aws:s3:::";

json::object Statement(const std::string& user, json::array actions, json::array resources) {
  return {{"Effect", "Allow"},
          {"Principal", json::object{{"AWS", json::array{user}}}},
          {"Action", std::move(actions)},
          {"Resource", std::move(resources)}};
}

// Names are ours: nothing in them needs escaping.
std::string UserDocument(const std::string& name, const SecretBytes& secret) {
  return "<Account><Access>" + name + "</Access><Secret>" + std::string(AsText(secret.Expose())) +
         "</Secret><Role>user</Role></Account>";
}

}  // namespace

std::string BucketPolicy(const std::string& bucket, const std::string& writer,
                         const std::vector<S3Reader>& readers) {
  const std::string arn = std::string(kArn) + bucket;
  json::array statements;
  statements.push_back(Statement(writer, {"s3:*"}, {arn, arn + "/*"}));
  for (const S3Reader& reader : readers) {
    statements.push_back(
        Statement(reader.user, {"s3:GetObject"}, {arn + "/" + reader.prefix + "*"}));
  }
  return ToJson(json::object{{"Version", "2012-10-17"}, {"Statement", std::move(statements)}});
}

std::vector<std::string> UsersIn(std::string_view xml, std::string_view prefix) {
  constexpr std::string_view kOpen = "<Access>";
  std::vector<std::string> out;
  for (size_t at = xml.find(kOpen); at != std::string_view::npos; at = xml.find(kOpen, at)) {
    at += kOpen.size();
    const std::string_view name = xml.substr(at, xml.find('<', at) - at);
    if (name.starts_with(prefix)) out.emplace_back(name);
  }
  return out;
}

Result<S3Admin::Answer> S3Admin::Call(const S3Keys& keys, const std::string& method,
                                      const std::string& path, const std::string& body) const {
  net::ClientOptions options{.base_url = endpoint_, .total_timeout = kCallTime};
  options.s3_signing = {region_, keys.access_key, &keys.secret_key};
  ASSIGN_OR_RETURN(const auto http, net::HttpClient::New(options));
  net::ClientRequest request{.method = method, .path = path, .body = ToBytes(body)};
  request.headers["x-amz-content-sha256"] = ToHex(crypto::Sha256(AsBytes(body)));
  Result<net::ClientResponse> response = http->Send(request);
  Wipe(request.body);
  if (!response) {
    return Fail(MakeError("store.unreachable", "the S3 server does not answer")
                    .Detail(response.error().message));
  }
  return Answer{response->status, std::string(AsText(response->body))};
}

Result<> S3Admin::Expect(const S3Keys& keys, const std::string& method, const std::string& path,
                         const std::string& body) const {
  ASSIGN_OR_RETURN(const Answer answer, Call(keys, method, path, body));
  if (answer.status < 300) return {};
  const std::string_view code =
      answer.status == 403 ? std::string_view("store.refused") : std::string_view("store.failed");
  return Fail(MakeError(code, "the S3 server refused " + method + " as " + keys.access_key)
                  .Found("status " + std::to_string(answer.status))
                  .Detail(answer.body.substr(0, 500)));
}

Result<> S3Admin::EnsureBucket(const std::string& bucket) const {
  ASSIGN_OR_RETURN(const Answer there, Call(writer_, "HEAD", "/" + bucket, ""));
  if (there.status < 300) return {};
  if (there.status != 404) return Expect(writer_, "GET", "/" + bucket, "");
  TRY(Expect(writer_, "PUT", "/" + bucket, ""));
  return SetReaders(bucket, {});
}

Result<> S3Admin::SetReaders(const std::string& bucket,
                             const std::vector<S3Reader>& readers) const {
  return Expect(writer_, "PUT",
                "/" + bucket + "?policy=", BucketPolicy(bucket, writer_.access_key, readers));
}

Result<> S3Admin::CreateUser(const std::string& name, const SecretBytes& secret) const {
  TRY(RemoveUser(name));
  std::string body = UserDocument(name, secret);
  const Result<> created = Expect(admin_, "PATCH", "/create-user", body);
  Wipe(body);
  return created;
}

Result<> S3Admin::RemoveUser(const std::string& name) const {
  ASSIGN_OR_RETURN(const std::vector<std::string> present, ListUsers(name));
  if (std::ranges::find(present, name) == present.end()) return {};
  return Expect(admin_, "PATCH", "/delete-user?access=" + name, "");
}

Result<std::vector<std::string>> S3Admin::ListUsers(std::string_view prefix) const {
  ASSIGN_OR_RETURN(Answer answer, Call(admin_, "PATCH", "/list-users", ""));
  const int status = answer.status;
  std::vector<std::string> users = UsersIn(answer.body, prefix);
  Wipe(answer.body);  // it has their secrets
  if (status >= 300) {
    return Fail(MakeError(status == 403 ? "store.refused" : "store.failed",
                          "the S3 server does not list its users")
                    .Found("status " + std::to_string(status)));
  }
  return users;
}

}  // namespace cce::privacy_plane
