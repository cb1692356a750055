#include "dataset/index.h"
#include "dataset/index_format.h"
#include "dataset/path.h"

namespace cce::dataset {
namespace {

Unexpected BadIndex(std::string what) { return Fail("dataset.bad_index", std::move(what)); }

}  // namespace

// Walks the entries once, keeping the chain of open folders.
class Index::Parser {
 public:
  Parser(Index& index, const DatasetId& dataset) : index_(index), dataset_(dataset) {}

  Result<> Run() {
    TRY(Frame());
    TRY(Objects());
    TRY(Entries());
    GroupChildren();
    return {};
  }

 private:
  ByteView blob() const { return index_.blob_; }

  // Header and footer.
  Result<> Frame() {
    if (blob().size() < kIndexHeaderSize + kIndexFooterSize) return BadIndex("too short");
    ByteReader header(blob().first(kIndexHeaderSize));
    ASSIGN_OR_RETURN(const ByteView magic, header.Take(kIndexMagic.size()));
    ASSIGN_OR_RETURN(const uint32_t version, header.U32());
    if (AsText(magic) != kIndexMagic || version != uint32_t{kIndexVersion} << 24) {
      return BadIndex("unknown magic or version");
    }
    ASSIGN_OR_RETURN(const ByteView dataset, header.Take(dataset_.size()));
    if (!Equal(dataset, dataset_)) return BadIndex("it belongs to another dataset");
    ByteReader footer(blob().last(kIndexFooterSize));
    ASSIGN_OR_RETURN(entry_count_, footer.U64());
    ASSIGN_OR_RETURN(object_count_, footer.U64());
    ASSIGN_OR_RETURN(declared_.files, footer.U64());
    ASSIGN_OR_RETURN(declared_.folders, footer.U64());
    ASSIGN_OR_RETURN(declared_.links, footer.U64());
    ASSIGN_OR_RETURN(declared_.bytes, footer.U64());
    ASSIGN_OR_RETURN(const ByteView end, footer.Take(kIndexEndMagic.size()));
    if (AsText(end) != kIndexEndMagic) return BadIndex("the end mark is missing");
    return {};
  }

  Result<> Objects() {
    const uint64_t room = blob().size() - kIndexHeaderSize - kIndexFooterSize;
    if (object_count_ > room / kIndexObjectSize) return BadIndex("the object table does not fit");
    entries_end_ = blob().size() - kIndexFooterSize - object_count_ * kIndexObjectSize;
    if (entry_count_ > kMaxIndexEntries ||
        entry_count_ > (entries_end_ - kIndexHeaderSize) / (kIndexEntryHead + 1)) {
      return BadIndex("the entry count does not fit");
    }
    ByteReader table(blob().subspan(entries_end_, object_count_ * kIndexObjectSize));
    index_.objects_.resize(object_count_);
    plain_sizes_.resize(object_count_);
    for (uint64_t i = 0; i < object_count_; ++i) {
      IndexObject& object = index_.objects_[i];
      ASSIGN_OR_RETURN(const ByteView name, table.Take(object.name.size()));
      ASSIGN_OR_RETURN(const ByteView header, table.Take(object.header.size()));
      std::copy(name.begin(), name.end(), object.name.begin());
      std::copy(header.begin(), header.end(), object.header.begin());
      ASSIGN_OR_RETURN(object.sealed_size, table.U64());
      ASSIGN_OR_RETURN(object.epoch, table.U32());
      const Result<uint64_t> plain = crypto::StreamPlainSize(object.sealed_size, object.header[6]);
      if (!plain || *plain > kMaxObjectPlain) return BadIndex("an object has an impossible size");
      plain_sizes_[i] = *plain;
    }
    return {};
  }

  Result<> Entries() {
    index_.nodes_.reserve(entry_count_ + 1);
    index_.nodes_.push_back({.mode = 0555, .type = static_cast<uint8_t>(EntryType::kFolder)});
    folders_.push_back({.id = kRoot, .path_size = 0, .last_child = kRoot});
    at_ = kIndexHeaderSize;
    for (uint64_t i = 0; i < entry_count_; ++i) TRY(Entry());
    if (at_ != entries_end_) return BadIndex("bytes are left over after the last entry");
    CloseFolders(0);
    index_.nodes_[kRoot].subtree_end = static_cast<Id>(index_.nodes_.size());
    if (!(index_.counts_ == declared_)) return BadIndex("the counts differ from the entries");
    return {};
  }

  Result<ByteView> Take(uint64_t size) {
    if (size > entries_end_ - at_) return BadIndex("an entry is cut off");
    const ByteView out = blob().subspan(at_, size);
    at_ += size;
    return out;
  }

  Result<> Entry() {
    ASSIGN_OR_RETURN(const ByteView head, Take(kIndexEntryHead));
    Node node{};
    node.type = head[0];
    node.mode = ReadU16(&head[1]);
    const size_t depth = ReadU16(&head[3]);
    node.mtime_ns = static_cast<int64_t>(ReadU64(&head[5]));
    node.name_size = head[13];
    node.record = at_;
    if (node.mode > 07777) return BadIndex("a mode holds more than permission bits");
    ASSIGN_OR_RETURN(const ByteView name, Take(node.name_size));
    if (depth >= folders_.size()) return BadIndex("an entry stands in a folder that is not there");
    CloseFolders(depth);
    TRY(Place(node, AsText(name)));
    switch (static_cast<EntryType>(node.type)) {
      case EntryType::kFolder:
        ++index_.counts_.folders;
        break;
      case EntryType::kLink:
        TRY(Link(node, AsText(name)));
        break;
      case EntryType::kFile:
        TRY(File(node));
        break;
      default:
        return BadIndex("an entry of an unknown type");
    }
    const Id id = static_cast<Id>(index_.nodes_.size());
    node.subtree_end = id + 1;
    index_.nodes_.push_back(node);
    folders_.back().last_child = id;
    ++index_.nodes_[node.parent].child_count;
    if (static_cast<EntryType>(node.type) == EntryType::kFolder) {
      folders_.push_back({.id = id,
                          .path_size = folders_.back().path_size + node.name_size + 1,
                          .last_child = kRoot});
    }
    return {};
  }

  // Name, order among its siblings and the path's length.
  Result<> Place(Node& node, std::string_view name) {
    const OpenFolder& folder = folders_.back();
    if (!CheckName(name)) return BadIndex("an entry has a forbidden name");
    if (folder.path_size + name.size() > kMaxPath) return BadIndex("a path exceeds 4096 bytes");
    if (folder.last_child != kRoot && index_.Name(folder.last_child) >= name) {
      return BadIndex("entries are out of order or doubled");
    }
    node.parent = folder.id;
    return {};
  }

  Result<> Link(Node& node, std::string_view name) {
    ASSIGN_OR_RETURN(const ByteView size, Take(2));
    node.size = ReadU16(size.data());
    TRY(Take(32));
    ASSIGN_OR_RETURN(const ByteView target, Take(node.size));
    const std::string parent = index_.Path(node.parent);
    const std::string path = parent.empty() ? std::string(name) : parent + "/" + std::string(name);
    if (!CheckLinkTarget(path, AsText(target))) return BadIndex("a symbolic link leads outside");
    ++index_.counts_.links;
    return {};
  }

  Result<> File(Node& node) {
    ASSIGN_OR_RETURN(const ByteView fixed, Take(8 + 32 + 4));
    node.size = ReadU64(fixed.data());
    const uint64_t count = ReadU32(&fixed[40]);
    ASSIGN_OR_RETURN(const ByteView extents, Take(count * kIndexExtentSize));
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; ++i) {
      const uint8_t* at = extents.data() + i * kIndexExtentSize;
      const uint32_t object = ReadU32(at);
      const uint64_t offset = ReadU32(at + 4);
      const uint64_t length = ReadU32(at + 8);
      if (object >= object_count_ || length == 0 || offset + length > plain_sizes_[object]) {
        return BadIndex("an extent reaches outside its object");
      }
      // One length for all but the last: so the extent of an offset is found by division.
      const uint64_t first = ReadU32(extents.data() + 8);
      if (length > first || (length < first && i + 1 < count)) {
        return BadIndex("a file's extents are of unequal length");
      }
      sum += length;
    }
    if (sum != node.size) return BadIndex("a file's extents do not make up its size");
    ++index_.counts_.files;
    index_.counts_.bytes += node.size;
    return {};
  }

  // Leaves `depth` folders below the root open.
  void CloseFolders(size_t depth) {
    while (folders_.size() > depth + 1) {
      index_.nodes_[folders_.back().id].subtree_end = static_cast<Id>(index_.nodes_.size());
      folders_.pop_back();
    }
  }

  // children_ by counting: each folder's are then in entry order, which is name order.
  void GroupChildren() {
    auto& nodes = index_.nodes_;
    Id next = 0;
    for (Node& node : nodes) {
      node.first_child = next;
      next += std::exchange(node.child_count, 0);
    }
    index_.children_.resize(next);
    for (Id id = 1; id < nodes.size(); ++id) {
      Node& parent = nodes[nodes[id].parent];
      index_.children_[parent.first_child + parent.child_count++] = id;
    }
  }

  struct OpenFolder {
    Id id;
    size_t path_size;  // with the '/' that follows
    Id last_child;     // kRoot: none yet
  };

  Index& index_;
  const DatasetId& dataset_;
  uint64_t entry_count_ = 0;
  uint64_t object_count_ = 0;
  ContentCounts declared_;
  uint64_t entries_end_ = 0;
  uint64_t at_ = 0;
  std::vector<uint64_t> plain_sizes_;
  std::vector<OpenFolder> folders_;
};

Result<Index> Index::Parse(Bytes plain, const DatasetId& dataset) {
  Index index;
  index.blob_ = std::move(plain);
  TRY(Parser(index, dataset).Run());
  return index;
}

}  // namespace cce::dataset
