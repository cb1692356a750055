// The objects of a front, apart from FUSE: reports and open files with configfs' own behaviour and
// errors. Functions return 0 or an errno, as the kernel would. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "sim/report_source.h"

namespace cce::sim {

// What an inode number means. 1 is the root, 2 is report/; report N owns the numbers from 16 N on.
enum class NodeKind : uint64_t {
  kFolder = 0,
  kInblob,
  kOutblob,
  kAuxblob,
  kProvider,
  kGeneration,
  kCount
};
constexpr uint64_t kRootInode = 1;
constexpr uint64_t kReportsInode = 2;

struct NodeInfo {
  uint64_t inode = 0;
  mode_t mode = 0;  // type and permissions
  uint64_t size = 0;
};

struct DirectoryEntry {
  std::string name;
  NodeInfo info;
};

class Reports {
 public:
  explicit Reports(std::unique_ptr<const ReportSource> source) : source_(std::move(source)) {}

  int Lookup(uint64_t parent, std::string_view name, NodeInfo& out) const;
  int Info(uint64_t inode, NodeInfo& out) const;
  int List(uint64_t inode, std::vector<DirectoryEntry>& out) const;
  // An open folder shows what was in it when it was opened.
  int OpenFolder(uint64_t inode, uint64_t& handle);
  const std::vector<DirectoryEntry>& Entries(uint64_t handle) const;  // empty for other handles
  int MakeReport(uint64_t parent, std::string_view name, NodeInfo& out);
  int RemoveReport(uint64_t parent, std::string_view name);

  // `flags` of open(2). `handle` names the open file until Close.
  int Open(uint64_t inode, int flags, uint64_t& handle);
  // The view holds until the next call for this handle.
  int Read(uint64_t handle, size_t size, off_t offset, ByteView& out);
  int Write(uint64_t handle, ByteView data, off_t offset);
  // At each close(2) of a descriptor: an inblob that was written is taken over.
  int Flush(uint64_t handle);
  void Close(uint64_t handle);

 private:
  struct Report {
    std::string name;
    Bytes inblob;
    Bytes outblob;
    Bytes auxblob;
    uint64_t write_generation = 0;
    uint64_t read_generation = 0;
  };
  struct OpenFile {
    uint64_t inode = 0;
    bool filled = false;  // read: `data` is the copy
    bool dirty = false;   // write: `data` waits to be taken over
    Bytes data;
    std::vector<DirectoryEntry> entries;  // folder
  };
  int NewHandle(OpenFile file, uint64_t& handle);
  const Report* Find(uint64_t inode) const;
  Report* Find(uint64_t inode);
  // Whether this front has the attribute at all.
  bool Has(NodeKind kind) const;
  int Fill(OpenFile& file);
  int Evidence(Report& report);

  std::unique_ptr<const ReportSource> source_;
  std::map<uint64_t, Report> reports_;  // by number; numbers are never used twice
  std::map<uint64_t, OpenFile> files_;
  uint64_t next_report_ = 1;
  uint64_t next_file_ = 1;
};

}  // namespace cce::sim
