#include "gate/svg.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace cce::gate {
namespace {

struct Tag {
  std::string_view name;
  std::string_view body;  // attributes
  bool closing = false;
};

std::string_view Attribute(std::string_view body, std::string_view name) {
  for (size_t at = body.find(name); at != std::string_view::npos; at = body.find(name, at + 1)) {
    const bool begins = at == 0 || body[at - 1] == ' ' || body[at - 1] == '\n' ||
                        body[at - 1] == '\t' || body[at - 1] == ':';
    const size_t quote = at + name.size() + 1;
    if (!begins || quote >= body.size() || body[quote - 1] != '=') continue;
    const char q = body[quote];
    if (q != '"' && q != '\'') continue;
    const size_t end = body.find(q, quote + 1);
    if (end == std::string_view::npos) return {};
    return body.substr(quote + 1, end - quote - 1);
  }
  return {};
}

size_t PathPoints(std::string_view d) {
  size_t numbers = 0;
  bool in_number = false;
  for (const char c : d) {
    const bool part = (c >= '0' && c <= '9') || c == '.';
    if (part && !in_number) ++numbers;
    in_number = part;
  }
  return numbers / 2;
}

// The number that a glyph is named by, in hex after the last '-' ("#DejaVuSans-35"); 0: not so
// named.
unsigned int GlyphOf(std::string_view href) {
  const size_t dash = href.rfind('-');
  if (dash == std::string_view::npos || href.size() - dash - 1 > 4) return 0;
  unsigned int code = 0;
  const auto parsed = std::from_chars(href.data() + dash + 1, href.data() + href.size(), code, 16);
  if (parsed.ec != std::errc() || parsed.ptr != href.data() + href.size()) return 0;
  return code < 0x7f ? code : 0;
}

// The number is the character's code (matplotlib to 3.10) or its place in the font (later), where
// ASCII begins 29 places earlier in all common fonts; the latter shows by numbers that no printable
// character has.
void GlyphsToText(std::string& glyphs) {
  const bool places =
      std::any_of(glyphs.begin(), glyphs.end(), [](char c) { return c != ' ' && c < ' '; });
  for (char& c : glyphs) {
    if (c == ' ' || !places) continue;
    c = c <= 0x7e - 29 ? static_cast<char>(c + 29) : '?';
  }
}

class Scanner {
 public:
  void Handle(const Tag& tag) {
    if (tag.name == "defs") defs_ += tag.closing ? -1 : (tag.body.ends_with('/') ? 0 : 1);
    if (tag.name == "script" || tag.name == "foreignObject") facts.script = true;
    if (tag.body.find(" on") != std::string_view::npos &&
        tag.body.find("=\"") != std::string_view::npos &&
        (tag.body.find(" onload=") != std::string_view::npos ||
         tag.body.find(" onclick=") != std::string_view::npos)) {
      facts.script = true;
    }
    if (tag.closing) {
      if (tag.name == "g" || tag.name == "text") facts.glyph_text += ' ';
      return;
    }
    if (tag.name == "use") return Use(tag.body);
    if (defs_ > 0) return;
    if (tag.name == "path") Path(Attribute(tag.body, "d"));
    if (tag.name == "polyline") Open(PathPoints(Attribute(tag.body, "points")));
    if (tag.name == "polygon") Closed(PathPoints(Attribute(tag.body, "points")));
    if (tag.name == "circle" || tag.name == "ellipse" || tag.name == "rect") ++facts.markers;
  }
  void Finish() {
    size_t most = 0;
    for (const auto& [href, n] : uses_) most = std::max(most, n);
    for (const auto& [href, n] : glyphs_) most = n > 500 ? std::max(most, n) : most;
    facts.markers += most;
    GlyphsToText(facts.glyph_text);
  }
  SvgFacts facts;

 private:
  void Open(size_t n) { facts.most_points = std::max(facts.most_points, n); }
  void Closed(size_t n) { facts.most_closed_points = std::max(facts.most_closed_points, n); }
  void Path(std::string_view d) {
    const size_t last = d.find_last_not_of(" \t\r\n");
    const bool closed = last != std::string_view::npos && (d[last] == 'z' || d[last] == 'Z');
    const size_t n = PathPoints(d);
    closed ? Closed(n) : Open(n);
  }
  void Use(std::string_view body) {
    const std::string_view href = Attribute(body, "href");
    if (const unsigned int glyph = GlyphOf(href); glyph != 0) {
      facts.glyph_text += static_cast<char>(glyph);
      ++glyphs_[std::string(href.substr(0, 64))];
    } else {
      ++uses_[std::string(href.substr(0, 64))];
    }
  }
  int defs_ = 0;
  std::map<std::string, size_t> uses_, glyphs_;
};

}  // namespace

SvgFacts ReadSvg(std::string_view text) {
  Scanner scanner;
  for (size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at)) {
    if (text.substr(at, 4) == "<!--") {
      const size_t end = text.find("-->", at);
      if (end == std::string_view::npos) break;
      at = end + 3;
      continue;
    }
    const size_t end = text.find('>', at);
    if (end == std::string_view::npos) break;
    std::string_view inside = text.substr(at + 1, end - at - 1);
    Tag tag;
    tag.closing = inside.starts_with('/');
    if (tag.closing) inside.remove_prefix(1);
    tag.name = inside.substr(0, inside.find_first_of(" \t\r\n/"));
    if (const size_t colon = tag.name.find(':'); colon != std::string_view::npos) {
      tag.name = tag.name.substr(colon + 1);
    }
    tag.body = inside;
    scanner.Handle(tag);
    at = end + 1;
  }
  scanner.Finish();
  return scanner.facts;
}

}  // namespace cce::gate
