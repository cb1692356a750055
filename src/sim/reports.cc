#include "sim/reports.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace cce::sim {
namespace {

constexpr size_t kMaxInblob = 64;  // TSM_REPORT_INBLOB_MAX
constexpr size_t kMaxReports = 256;
constexpr size_t kMaxOpenFiles = 1024;
constexpr size_t kMaxName = 255;
constexpr uint64_t kInodesPerReport = 16;
constexpr uint64_t kTextFileSize = 4096;  // configfs shows a page for text, 0 for binary attributes

struct AttributeInfo {
  std::string_view name;
  NodeKind kind;
  mode_t permissions;
  uint64_t size;
};
constexpr std::array<AttributeInfo, 5> kAttributes = {{
    {"inblob", NodeKind::kInblob, 0200, 0},
    {"outblob", NodeKind::kOutblob, 0400, 0},
    {"auxblob", NodeKind::kAuxblob, 0400, 0},
    {"provider", NodeKind::kProvider, 0444, kTextFileSize},
    {"generation", NodeKind::kGeneration, 0444, kTextFileSize},
}};

uint64_t ReportOf(uint64_t inode) { return inode / kInodesPerReport; }
NodeKind KindOf(uint64_t inode) { return static_cast<NodeKind>(inode % kInodesPerReport); }

const AttributeInfo* FindAttribute(NodeKind kind) {
  for (const AttributeInfo& attribute : kAttributes) {
    if (attribute.kind == kind) return &attribute;
  }
  return nullptr;
}

NodeInfo Folder(uint64_t inode) { return {.inode = inode, .mode = S_IFDIR | 0755}; }

NodeInfo AttributeNode(uint64_t report, const AttributeInfo& attribute) {
  return {.inode = report * kInodesPerReport + static_cast<uint64_t>(attribute.kind),
          .mode = S_IFREG | attribute.permissions,
          .size = attribute.size};
}

}  // namespace

const Reports::Report* Reports::Find(uint64_t inode) const {
  const auto it = reports_.find(ReportOf(inode));
  return it == reports_.end() ? nullptr : &it->second;
}

Reports::Report* Reports::Find(uint64_t inode) {
  return const_cast<Report*>(std::as_const(*this).Find(inode));
}

bool Reports::Has(NodeKind kind) const {
  return kind != NodeKind::kAuxblob || source_->has_auxiliary();
}

int Reports::Info(uint64_t inode, NodeInfo& out) const {
  if (inode == kRootInode || inode == kReportsInode) {
    out = Folder(inode);
    return 0;
  }
  if (Find(inode) == nullptr) return ENOENT;
  if (KindOf(inode) == NodeKind::kFolder) {
    out = Folder(inode);
    return 0;
  }
  const AttributeInfo* attribute = FindAttribute(KindOf(inode));
  if (attribute == nullptr || !Has(attribute->kind)) return ENOENT;
  out = AttributeNode(ReportOf(inode), *attribute);
  return 0;
}

int Reports::List(uint64_t inode, std::vector<DirectoryEntry>& out) const {
  if (inode == kRootInode) {
    out.push_back({"report", Folder(kReportsInode)});
    return 0;
  }
  if (inode == kReportsInode) {
    for (const auto& [number, report] : reports_) {
      out.push_back({report.name, Folder(number * kInodesPerReport)});
    }
    return 0;
  }
  if (Find(inode) == nullptr) return ENOENT;
  if (KindOf(inode) != NodeKind::kFolder) return ENOTDIR;
  for (const AttributeInfo& attribute : kAttributes) {
    if (!Has(attribute.kind)) continue;
    out.push_back({std::string(attribute.name), AttributeNode(ReportOf(inode), attribute)});
  }
  return 0;
}

int Reports::Lookup(uint64_t parent, std::string_view name, NodeInfo& out) const {
  std::vector<DirectoryEntry> entries;
  if (const int error = List(parent, entries); error != 0) return error;
  for (const DirectoryEntry& entry : entries) {
    if (entry.name == name) {
      out = entry.info;
      return 0;
    }
  }
  return ENOENT;
}

int Reports::MakeReport(uint64_t parent, std::string_view name, NodeInfo& out) {
  if (parent != kReportsInode) return EPERM;  // only report/ makes items
  if (name.size() > kMaxName) return ENAMETOOLONG;
  if (NodeInfo present; Lookup(parent, name, present) == 0) return EEXIST;
  if (reports_.size() >= kMaxReports) return ENOMEM;
  const uint64_t number = next_report_++;
  reports_[number].name = std::string(name);
  out = Folder(number * kInodesPerReport);
  return 0;
}

int Reports::RemoveReport(uint64_t parent, std::string_view name) {
  NodeInfo info;
  if (const int error = Lookup(parent, name, info); error != 0) return error;
  if (parent == kRootInode) return EPERM;  // report/ is a default group
  if (!S_ISDIR(info.mode)) return ENOTDIR;
  reports_.erase(ReportOf(info.inode));
  return 0;
}

int Reports::Open(uint64_t inode, int flags, uint64_t& handle) {
  NodeInfo info;
  if (const int error = Info(inode, info); error != 0) return error;
  if (S_ISDIR(info.mode)) return EISDIR;
  const int access = flags & O_ACCMODE;
  if (access != O_WRONLY && (info.mode & 0444) == 0) return EACCES;
  if (access != O_RDONLY && (info.mode & 0222) == 0) return EACCES;
  return NewHandle({.inode = inode, .data = {}, .entries = {}}, handle);
}

int Reports::OpenFolder(uint64_t inode, uint64_t& handle) {
  OpenFile folder{.inode = inode, .data = {}, .entries = {}};
  if (const int error = List(inode, folder.entries); error != 0) return error;
  return NewHandle(std::move(folder), handle);
}

const std::vector<DirectoryEntry>& Reports::Entries(uint64_t handle) const {
  static const std::vector<DirectoryEntry> kNone;
  const auto it = files_.find(handle);
  return it == files_.end() ? kNone : it->second.entries;
}

int Reports::NewHandle(OpenFile file, uint64_t& handle) {
  if (files_.size() >= kMaxOpenFiles) return ENFILE;
  handle = next_file_++;
  files_.emplace(handle, std::move(file));
  return 0;
}

// The kernel answers EINVAL before the first inblob, and serves the same evidence until the next
// write.
int Reports::Evidence(Report& report) {
  if (report.inblob.empty()) return EINVAL;
  if (!report.outblob.empty() && report.read_generation == report.write_generation) return 0;
  report.outblob.clear();
  report.auxblob.clear();
  Result<Bytes> evidence = source_->NewReport(report.inblob);
  if (!evidence) return evidence.error().code == "input.malformed" ? EINVAL : EIO;
  report.outblob = std::move(*evidence);
  report.auxblob = source_->Auxiliary();
  report.read_generation = report.write_generation;
  return 0;
}

int Reports::Fill(OpenFile& file) {
  Report* const report = Find(file.inode);
  if (report == nullptr) return ENOENT;  // removed since
  switch (KindOf(file.inode)) {
    case NodeKind::kOutblob:
      if (const int error = Evidence(*report); error != 0) return error;
      file.data = report->outblob;
      break;
    case NodeKind::kAuxblob:
      if (const int error = Evidence(*report); error != 0) return error;
      file.data = report->auxblob;
      break;
    case NodeKind::kProvider:
      file.data = ToBytes(std::string(source_->provider()) + "\n");
      break;
    case NodeKind::kGeneration:
      file.data = ToBytes(std::to_string(report->write_generation) + "\n");
      break;
    default:
      return EINVAL;
  }
  file.filled = true;
  return 0;
}

int Reports::Read(uint64_t handle, size_t size, off_t offset, ByteView& out) {
  const auto it = files_.find(handle);
  if (it == files_.end()) return EBADF;
  OpenFile& file = it->second;
  if (!file.filled) {
    if (const int error = Fill(file); error != 0) return error;
  }
  const size_t start = std::min(static_cast<size_t>(std::max<off_t>(offset, 0)), file.data.size());
  out = ByteView(file.data).subspan(start, std::min(size, file.data.size() - start));
  return 0;
}

int Reports::Write(uint64_t handle, ByteView data, off_t offset) {
  const auto it = files_.find(handle);
  if (it == files_.end() || KindOf(it->second.inode) != NodeKind::kInblob) return EBADF;
  if (Find(it->second.inode) == nullptr) return ENOENT;
  if (offset < 0 || static_cast<uint64_t>(offset) > kMaxInblob ||
      data.size() > kMaxInblob - static_cast<size_t>(offset)) {
    return EFBIG;
  }
  Bytes& pending = it->second.data;
  const auto start = static_cast<size_t>(offset);
  if (pending.size() < start + data.size()) pending.resize(start + data.size());
  std::copy(data.begin(), data.end(), pending.begin() + offset);
  it->second.dirty = true;
  return 0;
}

int Reports::Flush(uint64_t handle) {
  const auto it = files_.find(handle);
  if (it == files_.end()) return EBADF;
  OpenFile& file = it->second;
  if (!file.dirty) return 0;
  file.dirty = false;
  Report* const report = Find(file.inode);
  if (report == nullptr) return ENOENT;
  // Stop before the generations could meet by going round, as the kernel does.
  if (report->write_generation == report->read_generation - 1) return EBUSY;
  ++report->write_generation;
  report->inblob = file.data;
  return 0;
}

void Reports::Close(uint64_t handle) {
  Flush(handle);
  files_.erase(handle);
}

}  // namespace cce::sim
