// An upload's entries: a folder walked, or what was spooled, in path order.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <numeric>

#include "dataset/path.h"
#include "dataset/plan_impl.h"

namespace cce::dataset {
namespace {

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

Result<std::vector<std::string>> SortedNames(int root, const std::string& folder) {
  UniqueFd fd(::openat(root, folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(ShowPath(folder), errno);
  const std::unique_ptr<DIR, DirCloser> dir(::fdopendir(fd.get()));
  if (dir == nullptr) return FailErrno(ShowPath(folder), errno);
  fd.Release();
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return FailErrno(ShowPath(folder), errno);
  std::sort(names.begin(), names.end());
  return names;
}

// The entries in path order, the last one of each path, with the folders that they stand in.
Result<std::vector<SpooledEntry>> InPathOrder(std::vector<SpooledEntry> entries) {
  std::vector<size_t> order(entries.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) {
    const int compared = ComparePaths(entries[a].path, entries[b].path);
    return compared != 0 ? compared < 0 : a < b;
  });
  std::vector<SpooledEntry> out;
  std::vector<std::string> folders;  // that the entry before stands in, itself included; with '/'
  for (size_t i = 0; i < order.size(); ++i) {
    SpooledEntry& entry = entries[order[i]];
    if (i + 1 < order.size() && entry.path == entries[order[i + 1]].path) continue;
    while (!folders.empty() && !entry.path.starts_with(folders.back())) folders.pop_back();
    size_t slash = entry.path.find('/', folders.empty() ? 0 : folders.back().size());
    for (; slash != std::string::npos; slash = entry.path.find('/', slash + 1)) {
      const std::string folder = entry.path.substr(0, slash);
      if (!out.empty() && out.back().path == folder) {
        return Fail("dataset.bad_path",
                    "'" + ShowPath(entry.path) + "' stands in what is no folder");
      }
      out.push_back(
          {.path = folder,
           .attributes = {
               .type = EntryType::kFolder, .mode = 0755, .mtime_ns = entry.attributes.mtime_ns}});
      folders.push_back(folder + "/");
    }
    if (entry.attributes.type == EntryType::kFolder) folders.push_back(entry.path + "/");
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace

Result<> UploadPlan::Impl::AddEntry(std::string_view path, const Attributes& attributes,
                                    std::string target) {
  if (entries.size() >= UINT32_MAX / 2) {
    return Fail("dataset.too_large", "more than 2^31 entries");
  }
  const auto id = static_cast<uint32_t>(entries.size());
  switch (attributes.type) {
    case EntryType::kFile:
      ++counts.files;
      counts.bytes += attributes.size;
      if (attributes.size > kDigestSpan) spans[id].resize(SpanCount(attributes.size));
      break;
    case EntryType::kFolder:
      ++counts.folders;
      break;
    case EntryType::kLink:
      targets[id] = std::move(target);
      ++counts.links;
      break;
  }
  entries.push_back({.path_at = names.size(),
                     .path_size = static_cast<uint16_t>(path.size()),
                     .attributes = attributes});
  names += path;
  return {};
}

Result<> UploadPlan::Impl::ScanFolder(const std::string& folder) {
  ASSIGN_OR_RETURN(const std::vector<std::string> found,
                   SortedNames(root.get(), folder.empty() ? "." : folder));
  const std::string prefix = folder.empty() ? "" : folder + "/";
  for (const std::string& name : found) TRY(ScanEntry(prefix + name));
  return {};
}

Result<> UploadPlan::Impl::ScanEntry(const std::string& path) {
  TRY(CheckPath(path));
  struct stat info{};
  if (::fstatat(root.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return FailErrno(ShowPath(path), errno);
  }
  Attributes attributes{.mode = static_cast<uint16_t>(info.st_mode & 07777),
                        .mtime_ns = ModifiedNs(info)};
  std::string target;
  if (S_ISREG(info.st_mode)) {
    attributes.type = EntryType::kFile;
    attributes.size = static_cast<uint64_t>(info.st_size);
  } else if (S_ISDIR(info.st_mode)) {
    attributes.type = EntryType::kFolder;
  } else if (S_ISLNK(info.st_mode)) {
    attributes.type = EntryType::kLink;
    ASSIGN_OR_RETURN(target, ReadTarget(path));
    attributes.size = target.size();
  } else {
    return Fail(MakeError("upload.refused_kind", "'" + ShowPath(path) + "' cannot be uploaded")
                    .Expected("a file, a folder or a symbolic link")
                    .Found("a device, socket or pipe"));
  }
  TRY(AddEntry(path, attributes, std::move(target)));
  if (S_ISDIR(info.st_mode)) return ScanFolder(path);
  return {};
}

Result<std::string> UploadPlan::Impl::ReadTarget(const std::string& path) const {
  std::string target(kMaxLinkTarget + 1, '\0');
  const ssize_t n = ::readlinkat(root.get(), path.c_str(), target.data(), target.size());
  if (n < 0) return FailErrno(ShowPath(path), errno);
  target.resize(static_cast<size_t>(n));
  TRY(CheckLinkTarget(path, target));
  return target;
}

Result<UploadPlan> UploadPlan::Scan(const std::string& path, const PlanOptions& options,
                                    const Comparison& comparison) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return FailErrno(path, errno);
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  std::filesystem::path folder(path);
  const bool whole_folder = S_ISDIR(info.st_mode);
  const std::string name = folder.filename();
  if (!whole_folder) folder = folder.has_parent_path() ? folder.parent_path() : ".";
  impl->root = UniqueFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!impl->root.valid()) return FailErrno(folder.native(), errno);
  if (whole_folder) {
    TRY(impl->ScanFolder(""));
  } else {
    TRY(impl->ScanEntry(name));
  }
  return Finish(std::move(impl), comparison);
}

Result<UploadPlan> UploadPlan::FromSpool(UniqueFd spool, std::vector<SpooledEntry> entries,
                                         const PlanOptions& options, const Comparison& comparison) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->spool = std::move(spool);
  for (const SpooledEntry& entry : entries) {
    TRY(CheckPath(entry.path));
    if (entry.attributes.type == EntryType::kLink) TRY(CheckLinkTarget(entry.path, entry.target));
  }
  ASSIGN_OR_RETURN(entries, InPathOrder(std::move(entries)));
  for (SpooledEntry& entry : entries) {
    impl->spool_places.push_back(entry.at);
    TRY(impl->AddEntry(entry.path, entry.attributes, std::move(entry.target)));
  }
  return Finish(std::move(impl), comparison);
}

}  // namespace cce::dataset
