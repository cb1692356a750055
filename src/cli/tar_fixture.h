// For tests: archives with members of any kind.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <vector>

#include "cli/test_support.h"

namespace cce::cli {

struct Member {
  std::string path;
  std::string content;
  mode_t type = AE_IFREG;
  std::string link;
  bool hard = false;
  mode_t mode = 0644;
};

inline std::string MakeTar(const TempFolder& folder, const std::vector<Member>& members) {
  const std::string path = folder.path() + "/in.tar";
  const std::unique_ptr<archive, void (*)(archive*)> out(archive_write_new(),
                                                         [](archive* a) { archive_write_free(a); });
  archive_write_set_format_pax_restricted(out.get());
  archive_write_open_filename(out.get(), path.c_str());
  for (const Member& m : members) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                         archive_entry_free);
    archive_entry_set_pathname(entry.get(), m.path.c_str());
    archive_entry_set_filetype(entry.get(), m.type);
    archive_entry_set_perm(entry.get(), m.mode);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(m.content.size()));
    if (!m.link.empty() && m.hard) archive_entry_set_hardlink(entry.get(), m.link.c_str());
    if (!m.link.empty() && !m.hard) archive_entry_set_symlink(entry.get(), m.link.c_str());
    archive_write_header(out.get(), entry.get());
    archive_write_data(out.get(), m.content.data(), m.content.size());
  }
  archive_write_close(out.get());
  return path;
}

}  // namespace cce::cli
