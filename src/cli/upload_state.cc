#include "cli/upload_state.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/file.h"
#include "base/toml.h"
#include "crypto/hash.h"

namespace cce::cli {

std::string EncodeUploadState(const UploadState& s) {
  json::object root{{"dataset", protocol::AddressText(s.dataset)},
                    {"path", s.path},
                    {"draft", ToHex(s.draft)},
                    {"salt", ToHex(s.salt)},
                    {"begun_at", s.begun_at},
                    {"chunk_kib", s.chunk_kib},
                    {"token", s.token},
                    {"token_expires_at", s.token_expires_at}};
  if (s.base) root["base"] = ToHex(*s.base);
  if (s.complete) {
    json::object complete = ToJsonObject(s.complete->counts);
    complete["root"] = ToHex(s.complete->root);
    root["complete"] = std::move(complete);
  }
  return ToToml(root);
}

Result<UploadState> ReadUploadState(const Document& document) {
  Fields f(document);
  UploadState s;
  s.dataset = protocol::HexField<20>(f, "dataset");
  s.path = f.String("path", {.min = 1, .max = 8192});
  s.draft = protocol::HexField<16>(f, "draft");
  s.salt = protocol::HexField<32>(f, "salt");
  s.begun_at = static_cast<UnixSeconds>(f.Uint("begun_at", {.max = INT64_MAX}));
  s.chunk_kib = static_cast<unsigned>(f.Uint("chunk_kib", {.max = 256}));
  if (f.Has("base")) s.base = protocol::HexField<32>(f, "base");
  s.token = f.String("token", {.max = 256});
  s.token_expires_at = static_cast<UnixSeconds>(f.Uint("token_expires_at", {.max = INT64_MAX}));
  if (f.Has("complete")) {
    Fields c = f.Object("complete");
    CompleteUpload& complete = s.complete.emplace();
    complete.root = protocol::HexField<32>(c, "root");
    complete.counts = ReadContentCounts(c);
  }
  TRY(f.Finish());
  return s;
}

Result<UploadStates> UploadStates::Open(const Settings& settings) {
  ASSIGN_OR_RETURN(std::string folder, StateFolder(settings, "uploads"));
  return UploadStates(std::move(folder));
}

std::string UploadStates::FileOf(const protocol::DatasetId& dataset,
                                 const std::string& path) const {
  const auto name = crypto::Sha256(Frame("cce4long/v1/upload-state", {dataset, AsBytes(path)}));
  return folder_ + "/" + ToHex(ByteView(name).first(16)) + ".toml";
}

Result<UploadState> UploadStates::FindOrNew(const protocol::DatasetId& dataset,
                                            const std::string& path) const {
  std::string absolute = path;
  if (!path.starts_with("stdin:") && !path.starts_with("tar:")) {
    std::error_code error;
    absolute = std::filesystem::canonical(path, error).string();
    if (error) return FailErrno(path, error.value());
  }
  const Result<Document> document = LoadToml(FileOf(dataset, absolute));
  if (document) return ReadUploadState(*document);
  if (document.error().code != "io.not_found") return Fail(document.error());
  UploadState state;
  state.dataset = dataset;
  state.path = absolute;
  state.draft = crypto::RandomArray<16>();
  state.salt = crypto::RandomArray<32>();
  state.begun_at = SystemClock().Now();
  return state;
}

Result<std::vector<UploadState>> UploadStates::OfDataset(const protocol::DatasetId& dataset) const {
  std::vector<UploadState> out;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder_, error);
  if (error) return FailErrno(folder_, error.value());
  for (const auto& entry : entries) {
    if (entry.path().extension() != ".toml") continue;
    ASSIGN_OR_RETURN(const Document document, LoadToml(entry.path().string()));
    ASSIGN_OR_RETURN(UploadState state, ReadUploadState(document));
    if (state.dataset == dataset) out.push_back(std::move(state));
  }
  return out;
}

Result<> UploadStates::Save(const UploadState& state) const {
  return WriteFileAtomic(FileOf(state.dataset, state.path), AsBytes(EncodeUploadState(state)),
                         0600);
}

Result<> UploadStates::Forget(const UploadState& state) const {
  const std::string file = FileOf(state.dataset, state.path);
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) return FailErrno(file, errno);
  return {};
}

}  // namespace cce::cli
