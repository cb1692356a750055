#include "cli/dataset_view.h"

#include <array>
#include <cstdio>

#include "cli/answer.h"
#include "cli/json_view.h"

namespace cce::cli {
namespace {

std::string Plural(uint64_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

std::string TimeOf(const json::object& object, std::string_view key) {
  return ShowTime(static_cast<int64_t>(NumberOf(object, key)));
}

std::string CountsText(const json::object& counts) {
  return Plural(NumberOf(counts, "files"), "file") + ", " +
         Plural(NumberOf(counts, "folders"), "folder") + ", " +
         Plural(NumberOf(counts, "links"), "link") + ", " + FormatBytes(NumberOf(counts, "bytes"));
}

std::string SnapshotText(const json::object& s) {
  std::string out = "snapshot   " + TextOf(s, "id") + "  " + TextOf(s, "state") + "\n";
  const std::string indent(11, ' ');
  out += indent + TimeOf(s, "time") + ", epoch " + TextOf(s, "epoch") + "\n";
  out += indent + CountsText(ObjectOf(s, "counts")) + "\n";
  if (TextOf(s, "state") == "live") {
    out += indent + "stored as " + Plural(NumberOf(s, "objects"), "object") + ", " +
           FormatBytes(NumberOf(s, "sealed_bytes")) + " (index " +
           FormatBytes(NumberOf(s, "index_bytes")) + ")" +
           (FlagOf(s, "leak_index") ? "" : ", leak index not built yet") + "\n";
  }
  if (const std::string after = TextOf(s, "successor"); !after.empty()) {
    out += indent + "rotated to " + after + "\n";
  }
  if (const json::object& v = ObjectOf(s, "verification"); !v.empty()) {
    out += VerificationText(v, NumberOf(s, "objects"));
  }
  return out;
}

std::string UsedText(const json::object& dataset) {
  const json::object& used = ObjectOf(dataset, "used");
  const json::object& quota = ObjectOf(dataset, "quota");
  return FormatBytes(NumberOf(used, "bytes")) + " of " + FormatBytes(NumberOf(quota, "bytes")) +
         ", " + TextOf(used, "files") + " of " + TextOf(quota, "files") + " files, " +
         TextOf(used, "snapshots") + " of " + TextOf(quota, "snapshots") + " snapshots";
}

std::string EpochsText(const json::array& epochs) {
  std::string out;
  for (const json::value& value : epochs) {
    const json::object& epoch = ObjectOf(value);
    out += "epoch      " + TextOf(epoch, "epoch") + ", opened " + TimeOf(epoch, "opened");
    if (NumberOf(epoch, "destroyed") != 0) out += ", destroyed " + TimeOf(epoch, "destroyed");
    out += "\n";
  }
  return out;
}

}  // namespace

std::string RotationText(const json::object& rotation) {
  if (TextOf(rotation, "state") != "sealing") {
    return "to epoch " + TextOf(rotation, "epoch") + ": waits for jobs on the old snapshots";
  }
  return "to epoch " + TextOf(rotation, "epoch") + ": " + FormatBytes(NumberOf(rotation, "bytes")) +
         " sealed anew, " + FormatBytes(NumberOf(rotation, "bytes_left")) + " left";
}

namespace {

std::string SideText(const json::object& side) {
  const std::string type = TextOf(side, "type");
  return type == "file" ? FormatBytes(NumberOf(side, "size")) : type;
}

std::string Octal(uint64_t mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%03llo", static_cast<unsigned long long>(mode));
  return text.data();
}

}  // namespace

std::string VerificationText(const json::object& v, uint64_t objects) {
  const std::string indent(11, ' ');
  const uint64_t damaged = NumberOf(v, "damaged");
  std::string out = indent;
  if (NumberOf(v, "finished") == 0) {
    out += "verification under way: " + TextOf(v, "objects_read") + " of " +
           std::to_string(objects) + " objects read";
  } else {
    out += "verified " + TimeOf(v, "finished") + ": " +
           Plural(NumberOf(v, "objects_read"), "object") + ", " + FormatBytes(NumberOf(v, "bytes"));
  }
  out += damaged == 0 ? ", nothing damaged\n" : ", " + std::to_string(damaged) + " DAMAGED\n";
  for (const json::value& value : ListOf(v, "damage")) {
    const json::object& damage = ObjectOf(value);
    out += indent + "✗ object " + TextOf(damage, "object") + " (" + TextOf(damage, "code") + ")\n";
    const json::array& paths = ListOf(damage, "paths");
    for (const json::value& path : paths) {
      out += indent + "    " + Clean(path.is_string() ? path.get_string() : "") + "\n";
    }
    const uint64_t all = NumberOf(damage, "path_count");
    if (all > paths.size()) {
      out += indent + "    and " + std::to_string(all - paths.size()) + " more\n";
    }
  }
  if (damaged > ListOf(v, "damage").size()) {
    out += indent + "(the first " + std::to_string(ListOf(v, "damage").size()) +
           " damaged objects are named)\n";
  }
  return out;
}

std::string OwnerDatasetText(const json::object& d) {
  std::string out = "dataset    " + TextOf(d, "dataset") +
                    (FlagOf(d, "deleted") ? "  DELETED" : "") + "\nowner      " +
                    TextOf(d, "owner") + "\npolicy     version " + TextOf(d, "policy_version") +
                    ", access " + TextOf(d, "access_mode") + ", " + TextOf(d, "policy_hash") +
                    "\nin use     " + UsedText(d) + "\n";
  out += EpochsText(ListOf(d, "epochs"));
  for (const json::value& snapshot : ListOf(d, "snapshots")) {
    out += SnapshotText(ObjectOf(snapshot));
  }
  if (ListOf(d, "snapshots").empty()) out += "no snapshot yet\n";
  for (const json::value& value : ListOf(d, "drafts")) {
    const json::object& draft = ObjectOf(value);
    out += "upload     " + TextOf(draft, "draft") + ": " +
           Plural(NumberOf(draft, "parts"), "part") + ", " + FormatBytes(NumberOf(draft, "bytes")) +
           ", last touched " + TimeOf(draft, "touched") + "\n";
  }
  if (const json::object& rotation = ObjectOf(d, "rotation"); !rotation.empty()) {
    out += "rotation   " + RotationText(rotation) + "\n";
  }
  if (const json::object& trouble = ObjectOf(d, "trouble"); !trouble.empty()) {
    out += "held up    " + TextOf(trouble, "code") + ": " + TextOf(trouble, "message") + "\n";
  }
  return out;
}

std::string DatasetLine(const json::object& summary) {
  std::string out = TextOf(summary, "dataset");
  if (FlagOf(summary, "deleted")) return out + "  deleted\n";
  out += "  policy " + TextOf(summary, "policy_version") + "  " +
         Plural(NumberOf(summary, "snapshots"), "snapshot") + ", " +
         FormatBytes(NumberOf(summary, "bytes"));
  if (const json::object& newest = ObjectOf(summary, "newest"); !newest.empty()) {
    out += ", newest " + TextOf(newest, "id").substr(0, 12) + " of " + TimeOf(newest, "time");
  }
  return out + "\n";
}

std::string ChangeLine(const json::object& change) {
  const std::string kind = TextOf(change, "change");
  const std::string path = TextOf(change, "path");
  const json::object& before = ObjectOf(change, "before");
  const json::object& after = ObjectOf(change, "after");
  if (kind == "added") return "+ " + path + "  " + SideText(after) + "\n";
  if (kind == "removed") return "- " + path + "  " + SideText(before) + "\n";
  if (kind == "content") {
    return "~ " + path + "  " + SideText(before) + " -> " + SideText(after) + "\n";
  }
  std::string out = "  " + path + "  ";
  if (NumberOf(before, "mode") != NumberOf(after, "mode")) {
    return out + "mode " + Octal(NumberOf(before, "mode")) + " -> " +
           Octal(NumberOf(after, "mode")) + "\n";
  }
  return out + "time\n";
}

}  // namespace cce::cli
