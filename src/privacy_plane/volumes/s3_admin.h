// What cced asks of the S3 server beside storing: buckets, their policies, and users for jobs.
// Users are made with versitygw's admin calls; buckets and policies are S3.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace cce::privacy_plane {

struct S3Keys {
  std::string access_key;
  SecretBytes secret_key;
};

// One reading right: `user` may get what lies below `prefix`.
struct S3Reader {
  std::string user;
  std::string prefix;
};

// The policy of a bucket: all for the writer, for each reader GetObject below his prefix and
// nothing else.
std::string BucketPolicy(const std::string& bucket, const std::string& writer,
                         const std::vector<S3Reader>& readers);

// The user names in the answer to versitygw's list-users that begin with `prefix`.
std::vector<std::string> UsersIn(std::string_view xml, std::string_view prefix);

// Thread-safe: each call is a connection of its own. Errors: store.unreachable, store.refused,
// store.failed.
class S3Admin {
 public:
  // `admin` may be empty: then no users can be made.
  S3Admin(std::string endpoint, std::string region, const S3Keys& writer, const S3Keys& admin)
      : endpoint_(std::move(endpoint)),
        region_(std::move(region)),
        writer_(writer),
        admin_(admin) {}

  // Makes the bucket where it is missing; its policy then lets the writer alone in.
  Result<> EnsureBucket(const std::string& bucket) const;
  Result<> SetReaders(const std::string& bucket, const std::vector<S3Reader>& readers) const;
  // A user of this name is replaced.
  Result<> CreateUser(const std::string& name, const SecretBytes& secret) const;
  // Removing one that is not there succeeds.
  Result<> RemoveUser(const std::string& name) const;
  Result<std::vector<std::string>> ListUsers(std::string_view prefix) const;

 private:
  struct Answer {
    int status = 0;
    std::string body;
  };
  Result<Answer> Call(const S3Keys& keys, const std::string& method, const std::string& path,
                      const std::string& body) const;
  Result<> Expect(const S3Keys& keys, const std::string& method, const std::string& path,
                  const std::string& body) const;

  const std::string endpoint_;
  const std::string region_;
  const S3Keys& writer_;
  const S3Keys& admin_;
};

}  // namespace cce::privacy_plane
